# SPDX-License-Identifier: Apache-2.0
"""A partition of a GPT made larger or smaller, so that a power cut leaves the old table or the new.

Linux takes the backup only where the kernel line has the word ``gpt`` (find_valid_gpt in
block/partitions/efi.c). So the first header must be whole at every moment, with the entries that
it has the sum of, and one sector can hold only one of the two. The new entries are therefore
written to where nothing is, right behind the old ones; the header, one sector, is made to name
them; then the same once more, back to where they belong.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from liveos.formats.binary import ByteSource, ByteStore, FormatError
from liveos.formats.gpt import GptEntry, GptHeader, read_header

_HEADER, _ENTRIES = 1, 2  # where UEFI has the first header, and its entries behind it
_SECTOR_SIZES = (512, 4096)
_MBR_TYPE, _MBR_START, _MBR_LENGTH = 4, 8, 12  # fields of an entry of the MBR
_PROTECTIVE = 0xEE
_MOST_SECTORS = (1 << 32) - 1


def resize_partition(disk: ByteStore, number: int, size: int) -> None:
    """Give partition ``number`` another size in bytes, whole sectors; durable on return.

    On a disk that is longer than its table knows, the backup moves to the new end.

    :raises FormatError: the table is damaged or of an unusual shape, or the partition would leave
        the disk or lie over another one; nothing was written.
    """
    table = _Table.read(disk)
    entries = table.entries_with(number, size)
    _write_backup(disk, table, entries)
    # One place, if an earlier change was cut off between the two.
    for lba in (table.spare, _ENTRIES) if table.header.entries_lba == _ENTRIES else (_ENTRIES,):
        disk.write_at(lba * table.sector, entries)
        disk.flush()
        disk.write_at(_HEADER * table.sector, table.first_header(entries, lba))
        disk.flush()
    _fit_protection(disk, table)


@dataclass(frozen=True)
class _Table:
    """A GPT that is whole, on a disk whose last sector is ``end``; the numbers are sectors."""

    sector: int
    header: GptHeader
    entries: bytes
    tail: bytes
    end: int

    @classmethod
    def read(cls, disk: ByteSource) -> "_Table":
        for sector in _SECTOR_SIZES:
            found = read_header(disk, sector, _HEADER)
            if found is not None:
                header, entries = found
                raw = disk.read_at(_HEADER * sector, sector)
                tail = raw[GptHeader.layout().size :]
                table = cls(sector, header, entries, tail, disk.size // sector - 1)
                table.require_usual()
                return table
        raise FormatError("the first header of its GPT is damaged")

    @property
    def length(self) -> int:
        """Sectors of the entries."""
        return -(-len(self.entries) // self.sector)

    @property
    def spare(self) -> int:
        """Where the entries lie for a moment."""
        return _ENTRIES + self.length

    @property
    def last_usable(self) -> int:
        """Before the backup at the end of the disk."""
        return self.end - self.length - 1

    def used(self) -> Iterator[tuple[int, GptEntry]]:
        for index in range(self.header.entry_count):
            entry = GptEntry.unpack(self.entries, index * self.header.entry_size)
            if entry.is_used:
                yield index + 1, entry

    def require_usual(self) -> None:
        """That nothing lies where entries or backup are to be written."""
        first = min((entry.first for _, entry in self.used()), default=self.spare + self.length)
        if self.header.entries_lba not in {_ENTRIES, self.spare}:
            raise FormatError("the entries of its GPT lie at an unusual place")
        if first < self.spare + self.length:
            raise FormatError("a partition lies right behind its GPT, which needs room to change")
        if self.header.alternate_lba > self.end:
            raise FormatError("its GPT is that of a larger disk")
        if any(entry.last > self.last_usable for _, entry in self.used()):
            raise FormatError("a partition lies where the backup of its GPT belongs")

    def entries_with(self, number: int, size: int) -> bytes:
        """The entries in which one partition has another size."""
        partitions = dict(self.used())
        old = partitions.pop(number, None)
        if old is None or size < self.sector or size % self.sector:
            raise FormatError(f"there is no partition {number} that could have {size} bytes")
        new = replace(old, last=old.first + size // self.sector - 1)
        others = (each for each in partitions.values() if each.last >= new.first)
        if new.last > self.last_usable or any(each.first <= new.last for each in others):
            raise FormatError(f"there is no room for partition {number} of {size} bytes")
        start = (number - 1) * self.header.entry_size
        packed = new.pack()
        return self.entries[:start] + packed + self.entries[start + len(packed) :]

    def first_header(self, entries: bytes, lba: int) -> bytes:
        """The sector of the first header, with entries that begin at ``lba``."""
        return self._packed(entries, my_lba=_HEADER, alternate_lba=self.end, entries_lba=lba)

    def backup_header(self, entries: bytes) -> bytes:
        """The sector of the backup, which lies behind its entries."""
        lba = self.end - self.length
        return self._packed(entries, my_lba=self.end, alternate_lba=_HEADER, entries_lba=lba)

    def _packed(self, entries: bytes, **places: int) -> bytes:
        """A header as UEFI sums it: over ``header_size`` bytes, with zero for the sum itself."""
        header = replace(
            self.header,
            last_usable=self.last_usable,
            entries_crc=zlib.crc32(entries),
            header_crc=0,
            **places,  # type: ignore[arg-type] # all of them are numbers
        )
        summed = (header.pack() + self.tail)[: header.header_size]
        return replace(header, header_crc=zlib.crc32(summed)).pack() + self.tail


def _write_backup(disk: ByteStore, table: _Table, entries: bytes) -> None:
    """While it is written, the first header counts, with the old entries."""
    disk.write_at((table.end - table.length) * table.sector, entries)
    disk.write_at(table.end * table.sector, table.backup_header(entries))
    disk.flush()


def _fit_protection(disk: ByteStore, table: _Table) -> None:
    """The MBR's protective entry covers the disk (UEFI 5.2.3); four bytes of one sector."""
    sector = disk.read_at(0, 512)
    length = min(table.end, _MOST_SECTORS).to_bytes(4, "little")
    for start in range(446, 510, 16):
        entry = sector[start : start + 16]
        whole = entry[_MBR_TYPE] == _PROTECTIVE and entry[_MBR_START:_MBR_LENGTH] == b"\1\0\0\0"
        if whole and entry[_MBR_LENGTH:] != length:
            disk.write_at(0, sector[: start + _MBR_LENGTH] + length + sector[start + 16 :])
            disk.flush()
