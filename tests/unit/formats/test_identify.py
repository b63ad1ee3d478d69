# SPDX-License-Identifier: Apache-2.0
"""Magics at the places that specifications give; ``tests/tools`` compares with blkid."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import MemorySource
from liveos.formats.identify import Identity, Kind, identify
from tests.data.make_filesystem_fixtures import UUID
from tests.unit.formats.filesystem_images import images

EXPECTED = {
    "gzip.squashfs": Identity(Kind.SQUASHFS),
    "checksum.erofs": Identity(Kind.EROFS, "fixture", UUID),
    "lzma.erofs": Identity(Kind.EROFS, None, UUID),
    "ext2.ext4": Identity(Kind.EXT2, "old", UUID),
    "ext4.ext4": Identity(Kind.EXT4, "fixture", UUID),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded_images(name: str) -> None:
    assert identify(MemorySource(images()[name])) == EXPECTED[name]


def at(*pieces: tuple[int, bytes], size: int = 1 << 20) -> MemorySource:
    data = bytearray(size)
    for offset, piece in pieces:
        data[offset : offset + len(piece)] = piece
    return MemorySource(bytes(data))


def test_kinds_that_no_tool_here_makes() -> None:
    boot = (510, b"\x55\xaa")
    assert identify(at((0, b"SnAp"), size=4096)) == Identity(Kind.SNAPSHOT_STORE)
    # exFAT specification 3.1: FileSystemName at 3, VolumeSerialNumber at 100.
    exfat = at((3, b"EXFAT   "), (100, bytes.fromhex("78563412")), boot)
    assert identify(exfat) == Identity(Kind.EXFAT, None, "1234-5678")
    ntfs = at((3, b"NTFS    "), (72, bytes.fromhex("0807060504030201")), boot)
    assert identify(ntfs) == Identity(Kind.NTFS, None, "0102030405060708")


def test_squashfs_of_old() -> None:
    # As blkid: 4.0 is little-endian only; everything else with the magic is squashfs3.
    assert identify(at((0, b"hsqs"), (28, b"\4\0"))) == Identity(Kind.SQUASHFS)
    assert identify(at((0, b"hsqs"), (28, b"\3\0"))) == Identity(Kind.SQUASHFS3)
    assert identify(at((0, b"sqsh"), (28, b"\0\3"))) == Identity(Kind.SQUASHFS3)


def test_an_iso_that_is_also_a_disk_is_an_iso() -> None:
    entry = (446, bytes([0x80, 0, 0, 0, 0x17, 0, 0, 0]) + struct.pack("<II", 0, 2048))
    boot = (510, b"\x55\xaa")
    volume = (32768, b"\1CD001\1\0" + bytes(32) + b"Fedora-WS-Live-42".ljust(32))
    assert identify(at(entry, boot)) == Identity(Kind.MBR)
    assert identify(at(entry, boot, volume)) == Identity(Kind.ISO9660, "Fedora-WS-Live-42")


def test_nothing_known() -> None:
    for source in (MemorySource(b""), MemorySource(bytes(511)), at()):
        assert identify(source) is None
    assert identify(at((510, b"\x55\xaa"))) is None  # a boot sector without partitions


@given(st.binary(max_size=600), st.sampled_from([0, 3, 510, 1024, 1080, 32769, 65600]))
def test_arbitrary_bytes(data: bytes, offset: int) -> None:
    identify(at((offset, data), size=70_000))
    identify(MemorySource(data))


MAGICS = [
    (0, b"LUKS\xba\xbe\0\2"), (0, b"hsqs"), (0, b"XFSB"), (32768, b"\1CD001"),
    (1080, b"\x53\xef"), (1024, b"\xe2\xe1\xf5\xe0"), (1024, b"\x10\x20\xf5\xf2"),
    (65600, b"_BHRfS_M"), (4086, b"SWAPSPACE2"), (512, b"EFI PART"),
    (510, b"\x55\xaa"),
]  # fmt: skip


@given(st.sampled_from(MAGICS), st.binary(max_size=2048), st.integers(0, 2000))
def test_arbitrary_bytes_around_magics(magic: tuple[int, bytes], data: bytes, where: int) -> None:
    offset, word = magic
    source = at((max(0, offset - where), data), magic, size=70_000)
    identity = identify(source)
    assert identity is None or identity.kind in Kind
    # The same, cut off right behind the magic.
    identify(MemorySource(source.read_at(0, offset + len(word))))
