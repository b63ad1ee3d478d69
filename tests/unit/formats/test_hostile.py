# SPDX-License-Identifier: Apache-2.0
"""Images made to mislead: each must end in a record or a `FormatError`, soon."""

import struct
import zlib

import pytest

from liveos.formats.binary import FormatError, MemorySource, TruncatedError
from liveos.formats.fat.reader import Fat
from liveos.formats.iso9660 import isomd5
from liveos.formats.iso9660.el_torito import read_catalogue
from liveos.formats.iso9660.reader import Iso9660
from liveos.formats.partitions import Damage, Scheme, read_table
from tests.unit.formats.samples import poked, sample

_SECTOR = 2048


def _root(iso: bytes) -> tuple[int, int]:
    """Offset and size of the root directory."""
    block, size = struct.unpack_from("<I4xI", iso, 16 * _SECTOR + 156 + 2)
    return block * _SECTOR, size


def _record(iso: bytes, name: bytes) -> int:
    """Where the directory record with this Rock Ridge name lies."""
    start, _ = _root(iso)
    position = start
    while iso[position]:
        if b"NM" + bytes([5 + len(name), 1, 0]) + name in iso[position : position + iso[position]]:
            return position
        position += iso[position]
    raise AssertionError(name)


def _both(number: int) -> bytes:
    return struct.pack("<I", number) + struct.pack(">I", number)


def test_an_iso_directory_that_contains_itself_is_refused() -> None:
    iso = sample("live.iso")
    start, size = _root(iso)
    record = _record(iso, b"EFI")
    iso = poked(iso, (record + 2, _both(start // _SECTOR)), (record + 10, _both(size)))
    with pytest.raises(FormatError, match="two places"):
        list(Iso9660(MemorySource(iso)).walk())


@pytest.mark.parametrize("name", [b"../../et", b"..", b".", b"a/b", b"a\0b"])
def test_names_in_an_iso_cannot_lead_out_of_it(name: bytes) -> None:
    iso = sample("live.iso")
    record = _record(iso, b"lower.txt")
    entry = iso.index(b"NM", record)
    new = b"NM" + bytes([5 + len(name), 1, 0]) + name
    rest = struct.pack("<2sBB", b"ZZ", 14 - len(new), 1).ljust(14 - len(new), b"\0")
    iso = poked(iso, (entry, new + rest if len(rest) >= 4 else new.ljust(14)))
    with pytest.raises(FormatError):
        list(Iso9660(MemorySource(iso)).walk())


def test_rock_ridge_continuations_in_a_circle_are_refused() -> None:
    iso = sample("live.iso")
    record = _record(iso, b"lower.txt")
    entry = iso.index(b"PX", record)
    area = len(iso) - _SECTOR
    circle = b"CE\x1c\x01" + _both(area // _SECTOR) + _both(0) + _both(28)
    iso = poked(iso, (entry, circle), (area, circle))
    with pytest.raises(FormatError, match="without end"):
        list(Iso9660(MemorySource(iso)).walk())


def test_an_iso_directory_of_gigabytes_is_refused() -> None:
    class Endless:
        """An ISO whose root directory goes on forever with the same sector."""

        size = 1 << 40

        def read_at(self, offset: int, length: int) -> bytes:
            start, _ = _root(sample("live.iso"))
            if offset < 17 * _SECTOR:
                whole = poked(sample("live.iso"), (16 * _SECTOR + 156 + 10, _both(0xFFFFF800)))
                return whole[offset : offset + length]
            return sample("live.iso")[start : start + length]

    with pytest.raises(FormatError):
        Iso9660(Endless()).lookup("/nothing")


def test_a_truncated_iso_is_read_as_far_as_it_goes() -> None:
    whole = Iso9660(MemorySource(sample("live.iso")))
    node = whole.lookup("/images/efiboot.img")
    assert node is not None
    (extent,) = whole.extents(node) or ()
    assert extent.offset is not None
    iso = Iso9660(MemorySource(sample("live.iso")[: extent.offset + extent.length - 1]))
    node = iso.lookup("/images/efiboot.img")
    assert node is not None
    assert len(iso.open(node).read_at(0, node.size - 1)) == node.size - 1
    with pytest.raises(TruncatedError):
        iso.open(node).read_at(node.size - 10, 10)


def test_a_damaged_boot_catalogue_is_refused() -> None:
    iso = sample("live.iso")
    (lba,) = struct.unpack_from("<I", iso, 17 * _SECTOR + 0x47)
    with pytest.raises(FormatError):
        read_catalogue(MemorySource(poked(iso, (lba * _SECTOR + 5, b"x"))))


def test_a_sum_that_leaves_everything_out_is_refused() -> None:
    iso = sample("live.iso")
    position = iso.index(b"SKIPSECTORS = 15")
    iso = poked(iso, (position, b"SKIPSECTORS = 99999;"))
    with pytest.raises(FormatError):
        isomd5.read(MemorySource(iso))


def _fat_entry(fat: Fat, name: str) -> int:
    node = fat.lookup(name)
    assert node is not None
    return int(node.handle.position)


def test_a_chain_of_clusters_that_meets_itself_is_refused() -> None:
    raw = sample("fat16.img")
    fat = Fat(MemorySource(raw))
    node = fat.lookup("/images/efiboot.img")
    assert node is not None
    cluster = node.handle.cluster
    here = fat.geometry.fat_offset + 2 * (cluster + 20)
    raw = poked(raw, (here, struct.pack("<H", cluster)))
    fat = Fat(MemorySource(raw))
    with pytest.raises(FormatError, match="meets itself"):
        fat.extents(node)


@pytest.mark.parametrize("size", [700_000, 0xFFFFFFFF])
def test_a_fat_file_larger_than_its_chain_is_refused(size: int) -> None:
    raw = sample("fat16.img")
    position = _fat_entry(Fat(MemorySource(raw)), "/LiveOS/squashfs.img")
    fat = Fat(MemorySource(poked(raw, (position + 28, struct.pack("<I", size)))))
    node = fat.lookup("/LiveOS/squashfs.img")
    assert node is not None
    with pytest.raises(FormatError, match="its size needs"):
        fat.extents(node)


def test_a_fat_directory_that_is_its_own_parent_is_refused() -> None:
    raw = sample("fat16.img")
    position = _fat_entry(Fat(MemorySource(raw)), "/EFI/BOOT")
    parent = Fat(MemorySource(raw)).lookup("/EFI")
    assert parent is not None
    raw = poked(raw, (position + 26, struct.pack("<H", parent.handle.cluster)))
    with pytest.raises(FormatError, match="two places"):
        list(Fat(MemorySource(raw)).walk())


def test_a_long_name_of_another_file_is_not_believed() -> None:
    raw = sample("fat16.img")
    fat = Fat(MemorySource(raw))
    long = next(name for name in fat.listdir("/") if name.startswith("A name"))
    position = _fat_entry(fat, long)
    fat = Fat(MemorySource(poked(raw, (position, b"OTHER"))))
    assert long not in fat.listdir("/")
    assert any(name.startswith("OTHER") for name in fat.listdir("/"))


def test_logical_partitions_in_a_circle_end() -> None:
    raw = sample("mbr.img")
    (extended,) = struct.unpack_from("<I", raw, 446 + 16 + 8)
    link = extended * 512 + 446 + 16
    raw = poked(raw, (link + 4, b"\x05"), (link + 8, struct.pack("<II", 0, 100)))
    table = read_table(MemorySource(raw))
    assert table is not None
    assert table.damage is Damage.LOGICAL
    assert [entry.number for entry in table.partitions] == [1, 2, 5]


def _with_header(raw: bytes, at: int, change: tuple[int, bytes]) -> bytes:
    """A GPT with one field of a header changed and the header's own sum made right again."""
    raw = poked(raw, (at + change[0], change[1]), (at + 16, bytes(4)))
    return poked(raw, (at + 16, struct.pack("<I", zlib.crc32(raw[at : at + 92]))))


@pytest.mark.parametrize(
    "change",
    [
        (80, b"\xff\xff\xff\xff"),  # number of entries
        (84, b"\x01\0\0\0"),  # size of an entry
        (72, b"\xff" * 8),  # where the entries are
        (24, b"\x05" + bytes(7)),  # where the header thinks it is
    ],
)
def test_a_gpt_header_that_lies_is_not_used(change: tuple[int, bytes]) -> None:
    table = read_table(MemorySource(_with_header(sample("gpt.img"), 512, change)))
    assert table is not None
    assert table.scheme is Scheme.GPT
    assert table.damage is Damage.PRIMARY_GPT


def test_without_any_gpt_the_protective_mbr_is_left() -> None:
    raw = sample("gpt.img")
    raw = poked(raw, (512, bytes(512)), (len(raw) - 512, bytes(512)))
    table = read_table(MemorySource(raw))
    assert table is not None
    assert table.damage is Damage.BOTH_GPT
    assert [entry.type for entry in table.partitions] == ["ee"]
