# SPDX-License-Identifier: Apache-2.0
"""Records of filesystems: their sizes are those of the specifications, and they round-trip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import Record
from liveos.formats.crc32c import crc32c
from liveos.formats.erofs import records as erofs_records
from liveos.formats.ext4 import records as ext4_records
from liveos.formats.ext4 import superblock as ext4_superblock
from liveos.formats.squashfs import records as squashfs_records

# From squashfs_fs.h, ext4.h with ext4_extents.h, and erofs_fs.h of the kernel.
SIZES: dict[type[Record], int] = {
    squashfs_records.Superblock: 96,
    squashfs_records.InodeHeader: 16,
    squashfs_records.DirectoryInode: 32 - 16,
    squashfs_records.ExtendedDirectoryInode: 40 - 16,
    squashfs_records.FileInode: 32 - 16,
    squashfs_records.ExtendedFileInode: 56 - 16,
    squashfs_records.SymlinkInode: 24 - 16,
    squashfs_records.DirectoryHeader: 12,
    squashfs_records.DirectoryEntry: 8,
    squashfs_records.Fragment: 16,
    squashfs_records.GzipOptions: 8,
    squashfs_records.XzOptions: 8,
    squashfs_records.LzoOptions: 8,
    squashfs_records.Lz4Options: 8,
    squashfs_records.ZstdOptions: 4,
    ext4_superblock.Superblock: 1024,
    ext4_records.Inode: 128,
    ext4_records.ExtentHeader: 12,
    ext4_records.ExtentLeaf: 12,
    ext4_records.ExtentIndex: 12,
    erofs_records.Superblock: 128,
    erofs_records.CompactInode: 32,
    erofs_records.ExtendedInode: 64,
    erofs_records.DirectoryEntry: 12,
    erofs_records.ChunkIndex: 8,
    erofs_records.MapHeader: 8,
    erofs_records.ClusterIndex: 8,
}


each_record = pytest.mark.parametrize(
    "record",
    SIZES,
    ids=lambda record: f"{record.__module__.removeprefix('liveos.formats.')}.{record.__name__}",
)


@each_record
def test_size(record: type[Record]) -> None:
    assert record.layout().size == SIZES[record]


@each_record
@given(st.data())
def test_round_trip(record: type[Record], data: st.DataObject) -> None:
    size = SIZES[record]
    packed = data.draw(st.binary(min_size=size, max_size=size))
    assert record.unpack(packed).pack() == packed


def test_crc32c() -> None:
    # RFC 3720, B.4, whose sums are inverted at the end.
    assert crc32c(bytes(32)) ^ 0xFFFFFFFF == 0x8A9136AA
    assert crc32c(b"\xff" * 32) ^ 0xFFFFFFFF == 0x62A8AB43
    assert crc32c(bytes(range(32))) ^ 0xFFFFFFFF == 0x46DD794E
