# SPDX-License-Identifier: Apache-2.0
"""Writing stores: new ones in canonical layout, and areas of existing ones.

Every function orders its writes so that a power cut leaves a store that loads as it was before
or as it is after; ``flush`` of the sink is the only barrier it relies on.
"""

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSink
from liveos.formats.exception_store.geometry import RECORD, Geometry
from liveos.formats.exception_store.header import Header

_Column = NDArray[np.unsignedinteger]
_NO_CHUNKS = np.empty(0, np.uint64)


def header_chunk(geometry: Geometry, *, valid: bool = True) -> bytes:
    """Chunk 0 as the kernel writes it: the header, then zeros."""
    return Header.new(geometry, valid=valid).pack().ljust(geometry.chunk_size, b"\0")


def area_bytes(geometry: Geometry, old: _Column, new: _Column) -> bytes:
    """One area with these records in its first slots and zeros behind them."""
    records = np.zeros(geometry.slots_per_area, RECORD)
    records["old"][: len(old)] = old
    records["new"][: len(new)] = new
    return records.tobytes()


def create(sink: ByteSink, geometry: Geometry) -> None:
    """Make an empty store; its sink must hold two chunks at least.

    The first area is cleared before the header makes it count. The kernel does it the other way
    round, so that a crash can leave a header before a list of garbage (reference 1.1).
    """
    write_area(sink, geometry, 0, _NO_CHUNKS, _NO_CHUNKS)
    sink.flush()
    set_valid(sink, geometry)


def set_valid(sink: ByteSink, geometry: Geometry, *, valid: bool = True) -> None:
    """Rewrite the header chunk and make it durable."""
    sink.write_at(0, header_chunk(geometry, valid=valid))
    sink.flush()


def write_area(sink: ByteSink, geometry: Geometry, area: int, old: _Column, new: _Column) -> None:
    """Write one area whole, like the kernel; its slots behind the records become empty."""
    offset = geometry.area_chunk(area) * geometry.chunk_size
    sink.write_at(offset, area_bytes(geometry, old, new))


def write_exceptions(sink: ByteSink, geometry: Geometry, old: _Column, new: _Column) -> None:
    """Write a whole list, wherever its data lie, and the terminator behind it.

    The last area goes first: a reader that finds an area full finds the next one written.
    """
    slots = geometry.slots_per_area
    for area in reversed(range(len(new) // slots + 1)):
        part = slice(area * slots, (area + 1) * slots)
        write_area(sink, geometry, area, old[part], new[part])


class StoreWriter:
    """A new store in canonical layout, written front to back; the header makes it one.

    The sink must hold ``geometry.chunks_for(records)`` chunks. Until `finish` returns, nothing
    there loads as a store unless an older header lies in chunk 0.
    """

    def __init__(self, sink: ByteSink, geometry: Geometry) -> None:
        self._sink = sink
        self._geometry = geometry
        self._slots = np.zeros(geometry.slots_per_area, RECORD)
        self.count = 0

    def append(self, old: int, data: bytes) -> None:
        """Add a run: ``data`` for chunks ``old``, ``old + 1`` … of the origin.

        The data of a partial last chunk of the origin may be short; zeros fill the chunk.
        """
        size = self._geometry.chunk_size
        chunks = -(-len(data) // size)
        rows = np.frombuffer(data.ljust(chunks * size, b"\0"), np.uint8).reshape(chunks, size)
        self.append_rows(np.arange(old, old + chunks, dtype=np.uint64), rows)

    def append_rows(self, old: _Column, rows: NDArray[np.uint8]) -> None:
        """Add a row of bytes for each of these chunks of the origin, which may be any."""
        done = 0
        while done < len(old):
            slot = self.count % len(self._slots)
            stop = min(len(old), done + len(self._slots) - slot)
            self._append_to_area(old[done:stop], slot, rows[done:stop].tobytes())
            done = stop

    def finish(self) -> int:
        """Write the last area and the header; the number of exceptions in the store."""
        self._write_slots(self.count % len(self._slots))
        self._sink.flush()
        set_valid(self._sink, self._geometry)
        return self.count

    def _append_to_area(self, old: _Column, slot: int, data: bytes) -> None:
        """Records that share an area, so that their data lie together."""
        new = self._geometry.canonical_chunk(self.count)
        chunks = len(old)
        self._sink.write_at(new * self._geometry.chunk_size, data)
        self._slots["old"][slot : slot + chunks] = old
        self._slots["new"][slot : slot + chunks] = np.arange(new, new + chunks)
        self.count += chunks
        if slot + chunks == len(self._slots):
            self._write_slots(len(self._slots))

    def _write_slots(self, used: int) -> None:
        area = (self.count - used) // len(self._slots)
        records = self._slots[:used]
        write_area(self._sink, self._geometry, area, records["old"], records["new"])
