# SPDX-License-Identifier: Apache-2.0
"""Bitmaps and descriptors of recorded filesystems, whole and damaged."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.crc32c import crc32c
from liveos.formats.ext4.groups import free_map, system_blocks, used_inodes
from liveos.formats.ext4.layout import Runs, has_superblock
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.row_checksums import crc16_rows, crc32c_rows
from liveos.formats.ext4.superblock import Superblock
from tests.unit.formats.filesystem_images import images

NAMES = ("ext2.ext4", "ext4.ext4", "checksum.ext4")
BLOCK = 1024  # of all three
DESCRIPTORS = 2 * BLOCK


def opened(name: str, *changes: tuple[int, bytes]) -> Ext4:
    data = bytearray(images()[name])
    for offset, new in changes:
        data[offset : offset + len(new)] = new
    return Ext4(MemorySource(bytes(data)))


def test_checksums_of_rows() -> None:
    """The check values of CRC-32/ISCSI (here not inverted) and CRC-16/MODBUS."""
    rows = np.frombuffer(b"123456789" * 3, np.uint8).reshape(3, 9)
    assert crc32c_rows(rows, 0xFFFFFFFF).tolist() == [0xE3069283 ^ 0xFFFFFFFF] * 3
    assert crc16_rows(rows, 0xFFFF).tolist() == [0x4B37] * 3
    starts = np.array([1, 2, 3], np.uint32)
    assert crc32c_rows(rows, starts).tolist() == [crc32c(b"123456789", n) for n in (1, 2, 3)]


def test_runs() -> None:
    runs = Runs(np.array([5, 1, 9]), np.array([2, 0, 3]))
    assert runs.total == 5
    assert runs.blocks().tolist() == [5, 6, 9, 10, 11]
    assert runs.within(10).blocks().tolist() == [5, 6, 9]


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 20))
def test_parts_of_runs_are_all_of_them_and_never_much_larger(lengths: list[int], most: int) -> None:
    runs = Runs(np.zeros(len(lengths), np.int64), np.array(lengths, np.int64))
    parts = list(runs.parts(most))
    assert [length for part in parts for length in lengths[part]] == lengths
    assert all(sum(lengths[part]) < most + 10 for part in parts)


@pytest.mark.parametrize("name", NAMES)
def test_as_many_are_free_as_the_superblock_says(name: str) -> None:
    fs = opened(name)
    free = free_map(fs)
    assert int(free.sum()) == fs.superblock.free_blocks
    assert not free[:2].any()  # the boot block and the superblock
    assert int((~used_inodes(fs)).sum()) == fs.superblock.free_inodes


def test_backups_of_superblocks() -> None:
    """Groups 0, 1 and powers of 3, 5 and 7; all groups; the two that are named."""
    one = images()["ext2.ext4"][1024:2048]
    many = bytearray(one)
    struct.pack_into("<I", many, 0x04, 30 * 512)
    struct.pack_into("<I", many, 0x20, 512)
    struct.pack_into("<I", many, 0x64, 1)
    sparse = Superblock.unpack(bytes(many))
    assert np.flatnonzero(has_superblock(sparse)).tolist() == [0, 1, 3, 5, 7, 9, 25, 27]
    struct.pack_into("<I", many, 0x64, 0)
    assert has_superblock(Superblock.unpack(bytes(many))).all()
    struct.pack_into("<I", many, 0x5C, 0x200)
    struct.pack_into("<II", many, 0x24C, 11, 29)
    named = Superblock.unpack(bytes(many))
    assert np.flatnonzero(has_superblock(named)).tolist() == [0, 11, 29]


def test_wrong_checksums_are_refused() -> None:
    name = "checksum.ext4"
    fs = opened(name)
    bitmap = int(fs.descriptors.block_bitmap[0]) * BLOCK
    inodes = int(fs.descriptors.inode_bitmap[0]) * BLOCK
    flipped = bytes([images()[name][bitmap + 20] ^ 1])
    with pytest.raises(FormatError, match="block bitmap of group 0"):
        free_map(opened(name, (bitmap + 20, flipped)))
    with pytest.raises(FormatError, match="inode bitmap of group 0"):
        used_inodes(opened(name, (inodes, b"\0")))
    damaged = opened(name, (DESCRIPTORS + 0x0C, b"\xff\xff"))
    assert not damaged.descriptors.intact[0]
    with pytest.raises(FormatError, match="descriptor of group 0"):
        free_map(damaged)


@pytest.mark.parametrize("field", [0x00, 0x04])
def test_places_outside_are_refused(field: int) -> None:
    with pytest.raises(FormatError, match="outside the filesystem"):
        free_map(opened("ext2.ext4", (DESCRIPTORS + field, b"\xff\xff\xff\x7f")))


def test_inodes_outside_are_refused() -> None:
    with pytest.raises(FormatError):
        opened("ext2.ext4", (DESCRIPTORS + 0x08, b"\xff\xff\xff\x7f"))


def test_blocks_of_the_filesystem_are_never_free() -> None:
    """Even where the bitmap says so: a bitmap without a checksum can say anything."""
    fs = opened("ext2.ext4")
    bitmap = int(fs.descriptors.block_bitmap[0])
    wiped = opened("ext2.ext4", (bitmap * BLOCK, bytes(BLOCK)))
    free = free_map(wiped)
    assert not free[bitmap]
    assert not free[system_blocks(wiped).inode_tables.blocks()].any()
    assert free.sum() > fs.superblock.free_blocks


@pytest.mark.parametrize("name", ["ext2.ext4", "ext4.ext4"])
@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(1024, 2047), st.integers(DESCRIPTORS, DESCRIPTORS + 127)),
            st.integers(0, 255),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_damage_gives_a_map_or_an_error(name: str, changes: list[tuple[int, int]]) -> None:
    with contextlib.suppress(FormatError):
        fs = opened(name, *((offset, bytes([value])) for offset, value in changes))
        assert len(free_map(fs)) == fs.superblock.blocks
        assert len(used_inodes(fs)) == fs.superblock.inodes_count
