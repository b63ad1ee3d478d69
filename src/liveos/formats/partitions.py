# SPDX-License-Identifier: Apache-2.0
"""Partition tables: GPT (UEFI 5.3) and MBR with logical partitions, as byte ranges.

As in Linux, a GPT counts only where the MBR has a protective entry, and MBR partitions are
numbered by place: 1 to 4 for the primary ones, from 5 on for the logical ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

from liveos.formats.binary import ByteSource, FormatError, Record, u8, u32
from liveos.formats.gpt import GptEntry, GptHeader, guid, read_header

_MBR_SIZE = 512
_MBR_SECTOR = 512
_SECTOR_SIZES = (512, 4096)
_MOST_LOGICAL = 60
_PROTECTIVE = 0xEE
_EXTENDED = frozenset({0x05, 0x0F, 0x85})


class Scheme(StrEnum):
    """What kind of table describes the disk."""

    GPT = "gpt"
    MBR = "mbr"


class Damage(StrEnum):
    """What is wrong with a table that could be read all the same."""

    PRIMARY_GPT = "primary-gpt"  # the backup was used
    BACKUP_GPT = "backup-gpt"
    BOTH_GPT = "both-gpt"  # the MBR's own entries were used
    LOGICAL = "logical-partitions"  # some may be missing


@dataclass(frozen=True, slots=True)
class PartitionEntry:
    """A partition: ``offset`` and ``size`` in bytes.

    ``type`` is spelled as in sfdisk's scripts: a GUID in capitals, or hexadecimal digits.
    ``uuid`` is what Linux calls the PARTUUID. ``bootable`` is the MBR's active flag.
    """

    number: int
    type: str
    offset: int
    size: int
    uuid: str
    name: str | None = None
    bootable: bool = False


@dataclass(frozen=True, slots=True)
class PartitionTable:
    """The partitions of a disk; ``is_hybrid``: the MBR beside the GPT names partitions, too."""

    scheme: Scheme
    id: str
    sector_size: int
    partitions: tuple[PartitionEntry, ...]
    damage: Damage | None = None
    is_hybrid: bool = False


@dataclass(frozen=True)
class _MbrEntry(Record):
    """A partition record of an MBR, in sectors."""

    flags: u8
    _first_chs: Annotated[bytes, "3s"]
    type: u8
    _last_chs: Annotated[bytes, "3s"]
    start: u32
    length: u32


def read_table(source: ByteSource) -> PartitionTable | None:
    """The partition table of a disk; None where there is none, as on a bare filesystem."""
    entries = _read_mbr(source, 0)
    if entries is None:
        return None
    if any(entry.type == _PROTECTIVE and entry.start == 1 for entry in entries):
        table = _read_gpt(source)
        if table is not None:
            others = (entry for entry in entries if entry.type not in {0, _PROTECTIVE})
            return replace(table, is_hybrid=any(others))
        return replace(_mbr_table(source, entries), damage=Damage.BOTH_GPT)
    if not any(entry.length for entry in entries):
        return None
    return _mbr_table(source, entries)


def _read_mbr(source: ByteSource, offset: int) -> list[_MbrEntry] | None:
    """The four entries of a boot record; None when the sector is something else."""
    if offset + _MBR_SIZE > source.size:
        return None
    sector = source.read_at(offset, _MBR_SIZE)
    entries = [_MbrEntry.unpack(sector, 446 + 16 * index) for index in range(4)]
    # The boot sector of a filesystem has the same signature, with code where the flags would be.
    is_table = sector[510:] == b"\x55\xaa" and all(entry.flags in {0, 0x80} for entry in entries)
    return entries if is_table else None


def _mbr_table(source: ByteSource, entries: list[_MbrEntry]) -> PartitionTable:
    disk_id = int.from_bytes(source.read_at(440, 4), "little")
    partitions = [
        _mbr_partition(disk_id, number, entry)
        for number, entry in enumerate(entries, start=1)
        if entry.length
    ]
    damage = None
    extended = [entry for entry in entries if entry.type in _EXTENDED and entry.length]
    if extended:
        try:
            for number, logical in enumerate(_logical(source, extended[0].start), start=5):
                partitions.append(_mbr_partition(disk_id, number, logical))
        except FormatError:
            damage = Damage.LOGICAL
    return PartitionTable(Scheme.MBR, f"0x{disk_id:08x}", _MBR_SECTOR, tuple(partitions), damage)


def _mbr_partition(disk_id: int, number: int, entry: _MbrEntry) -> PartitionEntry:
    return PartitionEntry(
        number=number,
        type=f"{entry.type:x}",
        offset=entry.start * _MBR_SECTOR,
        size=entry.length * _MBR_SECTOR,
        uuid=f"{disk_id:08x}-{number:02x}",
        bootable=bool(entry.flags),
    )


def _logical(source: ByteSource, base: int) -> Iterator[_MbrEntry]:
    """The chain of extended boot records: each holds a partition and a link to the next."""
    here = base
    seen: set[int] = set()
    while here not in seen and len(seen) < _MOST_LOGICAL:
        seen.add(here)
        entries = _read_mbr(source, here * _MBR_SECTOR)
        if entries is None:
            raise FormatError(f"no extended boot record in sector {here}")
        for entry in entries[:2]:
            if entry.length and entry.type not in _EXTENDED:
                yield replace(entry, start=here + entry.start)
        links = [entry for entry in entries[:2] if entry.length and entry.type in _EXTENDED]
        if not links:
            return
        here = base + links[0].start
    raise FormatError("the chain of extended boot records has no end")


def _read_gpt(source: ByteSource) -> PartitionTable | None:
    """The GPT from its primary header or, if that is damaged, from the backup at the end."""
    for sector_size in _SECTOR_SIZES:
        primary = read_header(source, sector_size, 1)
        last = source.size // sector_size - 1
        backup_lba = primary[0].alternate_lba if primary else last
        backup = read_header(source, sector_size, backup_lba)
        used = primary or backup
        if used is not None:
            header, entries = used
            damage = None if backup else Damage.BACKUP_GPT
            return PartitionTable(
                Scheme.GPT,
                guid(header.disk_guid),
                sector_size,
                tuple(_gpt_partitions(header, entries, sector_size)),
                damage if primary else Damage.PRIMARY_GPT,
            )
    return None


def _gpt_partitions(
    header: GptHeader, entries: bytes, sector_size: int
) -> Iterator[PartitionEntry]:
    for index in range(header.entry_count):
        entry = GptEntry.unpack(entries, index * header.entry_size)
        if not entry.is_used:
            continue
        name = entry.name.decode("utf-16-le", "replace").split("\0")[0]
        yield PartitionEntry(
            number=index + 1,
            type=guid(entry.type_guid),
            offset=entry.first * sector_size,
            size=(entry.last - entry.first + 1) * sector_size,
            uuid=guid(entry.guid),
            name=name or None,
        )
