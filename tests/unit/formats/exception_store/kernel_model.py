# SPDX-License-Identifier: Apache-2.0
"""How the kernel fills and merges a store, step by step; compared with recorded kernels.

Written from the reference (sections 1.4, 1.5, 1.7, 2) with no use of the code under test. One
write at a time, as with direct I/O from one program: what four writers at once may reorder is
not modelled. Every write to the device is logged with the barriers around it.
"""

import struct
from dataclasses import dataclass, field

SECTOR = 512
FLUSH = None


@dataclass
class KernelModel:
    """A loaded snapshot over ``origin``; ``device`` is the store and changes as the kernel's."""

    device: bytearray
    origin: bytes | bytearray
    chunk_sectors: int = 8
    option: str = "PO"
    log: list[tuple[int, bytes] | None] = field(default_factory=list)
    overflowed: bool = False

    def __post_init__(self) -> None:
        self.load()

    # Loading

    def load(self) -> None:
        """Read a store, or make a new one where the magic is zero."""
        self.overflowed = False
        self.valid = True
        self.map: dict[int, int] = {}
        self.next_free = 2
        self.area, self.committed = 0, 0
        magic, valid, _version, chunk = struct.unpack_from("<4I", self.device)
        if magic:
            self.chunk_sectors = chunk
        self.chunk = self.chunk_sectors * SECTOR
        self.slots = self.chunk // 16
        self.buffer = bytearray(self.chunk)
        if not magic:
            self._write_header()
            self._write(self._area_chunk(0) * self.chunk, bytes(self.chunk))
        elif not valid:
            self.valid = False
        else:
            self._read_exceptions()

    def _read_exceptions(self) -> None:
        while self._area_is_full():
            self.area += 1
        if self.next_free % (self.slots + 1) == 1:
            self.next_free += 1

    def _area_is_full(self) -> bool:
        start = self._area_chunk(self.area) * self.chunk
        assert start + self.chunk <= len(self.device), "EIO"
        self.buffer = self.device[start : start + self.chunk]
        for slot in range(self.slots):
            old, new = struct.unpack_from("<QQ", self.buffer, 16 * slot)
            if new == 0:
                self.committed = slot
                return False
            if self.next_free <= new:
                self.next_free = (new + 1) % (1 << 64)
            self.map[old] = new
        return True

    # Writing

    def write(self, sector: int, data: bytes) -> bool:
        """One write request; whether all of it succeeded."""
        position = sector * SECTOR
        while data:
            room = self.chunk - position % self.chunk
            if not self._write_in_chunk(position, data[:room]):
                return False
            position += len(data[:room])
            data = data[room:]
        return True

    def _write_in_chunk(self, position: int, data: bytes) -> bool:
        old, offset = divmod(position, self.chunk)
        if not self.valid or self.overflowed:
            return False
        if old in self.map:
            self._write(self.map[old] * self.chunk + offset, data)
            return True
        new = self._allocate()
        if new is None:
            return False
        if len(data) != self.chunk:
            self._write(
                new * self.chunk, bytes(self.origin[old * self.chunk : (old + 1) * self.chunk])
            )
        else:
            self._write(new * self.chunk, data)
        if not self._commit(old, new):
            return False
        if len(data) != self.chunk:
            self._write(new * self.chunk + offset, data)
        return True

    def burst(self, chunks: dict[int, bytes]) -> bool:
        """First writes of whole chunks in flight together: one area write commits them all."""
        taken = []
        for old, data in chunks.items():
            new = self._allocate()
            if new is None:
                return False
            self._write(new * self.chunk, data)
            taken.append((old, new))
        return all(
            self._commit(old, new, pending=len(taken) - number)
            for number, (old, new) in enumerate(taken, start=1)
        )

    def _allocate(self) -> int | None:
        if len(self.device) // SECTOR < (self.next_free + 1) * self.chunk_sectors:
            if self.option == "PO":
                self.overflowed = True
            else:
                self._invalidate()
            return None
        new = self.next_free
        self.next_free += 1
        if self.next_free % (self.slots + 1) == 1:
            self.next_free += 1
        return new

    def _commit(self, old: int, new: int, pending: int = 0) -> bool:
        struct.pack_into("<QQ", self.buffer, 16 * self.committed, old, new)
        self.committed += 1
        full = self.committed == self.slots
        if full and not self._zero_area(self.area + 1):
            self._invalidate()
            return False
        if full or not pending:
            self._write_area()
        if full:
            self.committed, self.area = 0, self.area + 1
            self.buffer = bytearray(self.chunk)
        self.map[old] = new
        return True

    def _zero_area(self, area: int) -> bool:
        start = self._area_chunk(area) * self.chunk
        if start + self.chunk > len(self.device):
            return False
        self._write(start, bytes(self.chunk))
        return True

    def _write_area(self) -> None:
        self.log.append(FLUSH)
        self._write(self._area_chunk(self.area) * self.chunk, bytes(self.buffer))
        self.log.append(FLUSH)

    def _invalidate(self) -> None:
        self.valid = False
        self._write_header()

    def _write_header(self) -> None:
        header = b"SnAp" + struct.pack("<3I", int(self.valid), 1, self.chunk_sectors)
        self._write(0, header.ljust(self.chunk, b"\0"))

    def _area_chunk(self, area: int) -> int:
        return 1 + (self.slots + 1) * area

    def _write(self, offset: int, data: bytes) -> None:
        self.device[offset : offset + len(data)] = data
        self.log.append((offset, data))

    # Looking

    def status(self) -> str:
        if not self.valid:
            return "Invalid"
        if self.overflowed:
            return "Overflow"
        allocated = self.next_free * self.chunk_sectors % (1 << 64)
        return f"{allocated}/{len(self.device) // SECTOR} {(self.area + 2) * self.chunk_sectors}"

    def view(self) -> bytes:
        """What the snapshot device reads as."""
        view = bytearray(self.origin)
        for old, new in self.map.items():
            room = max(0, min(self.chunk, len(view) - old * self.chunk))
            start, stored = old * self.chunk, new * self.chunk
            view[start : start + room] = self.device[stored : stored + room]
        return bytes(view)

    # Merging

    def merge_step(self) -> bool:
        """Merge one run into the origin, from the end of the list; false when all is done."""
        assert isinstance(self.origin, bytearray)
        if not self.committed:
            if not self.area:
                return False
            self.area -= 1
            start = self._area_chunk(self.area) * self.chunk
            self.buffer = self.device[start : start + self.chunk]
            self.committed = self.slots
        run = self._last_run()
        for old, new in run:
            room = min(self.chunk, len(self.origin) - old * self.chunk)
            data = self.device[new * self.chunk : new * self.chunk + room]
            self.origin[old * self.chunk : old * self.chunk + room] = data
        self.committed -= len(run)
        self.buffer[16 * self.committed : 16 * (self.committed + len(run))] = bytes(16 * len(run))
        self._write_area()
        self.next_free = self._area_chunk(self.area) + self.committed + 1
        return True

    def _last_run(self) -> list[tuple[int, int]]:
        run: list[tuple[int, int]] = []
        for slot in reversed(range(self.committed)):
            old, new = struct.unpack_from("<QQ", self.buffer, 16 * slot)
            if run and (old, new) != (run[-1][0] - 1, run[-1][1] - 1):
                break
            run.append((old, new))
        return run
