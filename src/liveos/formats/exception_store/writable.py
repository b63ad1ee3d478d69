# SPDX-License-Identifier: Apache-2.0
"""The snapshot device without the kernel: what is written to the view becomes exceptions."""

from dataclasses import replace

import numpy as np

from liveos.formats.binary import ByteSource, ByteStore, TruncatedError
from liveos.formats.exception_store.edit import allocated, append
from liveos.formats.exception_store.errors import StoreFullError
from liveos.formats.exception_store.reader import ExceptionStore
from liveos.formats.exception_store.view import MergedView

# New exceptions wait in memory until there are so many bytes of them.
_MOST_WAITING = 16 << 20


class WritableView:
    """Reads as `MergedView`, and writes as the kernel does (reference 1.4, 1.5).

    The first write to a chunk of the origin takes the next free chunk of the store and fills it
    whole, the rest from the origin; later ones go where the chunk lies. On the device, data come
    before the records that make them count, and an area is cleared before the list reaches it.
    A power cut before `flush` has returned may keep or lose any of the writes, as with any disk.

    ``store`` is the list of the store on ``device``, valid and without damage.
    """

    def __init__(self, origin: ByteSource, device: ByteStore, store: ExceptionStore) -> None:
        self._origin = origin
        self._device = device
        self._chunk_size = store.geometry.chunk_size
        self._waiting: dict[int, bytearray] = {}
        self._take(store)

    @property
    def size(self) -> int:
        return self._merged.size

    @property
    def store(self) -> ExceptionStore:
        """The list as it is on the device."""
        return self._store

    @property
    def room(self) -> int:
        """Chunks of the origin that can still be changed for the first time.

        One less than the kernel would give where the list would then fill its last area: the
        kernel makes such a store invalid, for the next area cannot be cleared (fact 5).
        """
        geometry = self._store.geometry
        slots = geometry.areas_in(self._store.chunks) * geometry.slots_per_area
        left = min(self._store.free_chunks(), slots - 1 - self._store.count)
        return max(0, left - len(self._waiting))

    def read_at(self, offset: int, length: int) -> bytes:
        data = bytearray(self._merged.read_at(offset, length))
        for chunk in self._waiting_in(offset, length):
            start = chunk * self._chunk_size
            low, high = max(start, offset), min(start + self._chunk_size, offset + length)
            data[low - offset : high - offset] = self._waiting[chunk][low - start : high - start]
        return bytes(data)

    def write_at(self, offset: int, data: bytes) -> None:
        """Write to the view.

        :raises StoreFullError: there is no room for a new exception; what comes before it in
            ``data`` has been written.
        """
        if offset < 0 or offset + len(data) > self.size:
            raise TruncatedError(
                f"bytes {offset}..{offset + len(data)} lie outside a view of {self.size} bytes"
            )
        position, end = offset, offset + len(data)
        while position < end:
            stop = min((position // self._chunk_size + 1) * self._chunk_size, end)
            self._write_in_chunk(position, data[position - offset : stop - offset])
            position = stop

    def flush(self) -> None:
        """Make everything written so far durable; the list then has every new exception."""
        if not self._waiting:
            self._device.flush()
            return
        contents = {chunk: bytes(data) for chunk, data in self._waiting.items()}
        new = allocated(self._store, len(contents)).astype(np.uint64)
        append(self._device, self._store, contents)
        self._waiting.clear()
        old = np.concatenate((self._store.old, np.array(list(contents), np.uint64)))
        self._take(replace(self._store, old=old, new=np.concatenate((self._store.new, new))))

    def _take(self, store: ExceptionStore) -> None:
        self._store = store
        self._merged = MergedView(self._origin, store, self._device)

    def _write_in_chunk(self, position: int, data: bytes) -> None:
        chunk, within = divmod(position, self._chunk_size)
        piece = next(self._merged.pieces(position, len(data)))
        if piece.stored:
            self._device.write_at(piece.source_offset, data)
            return
        if chunk not in self._waiting:
            self._begin(chunk)
        self._waiting[chunk][within : within + len(data)] = data

    def _begin(self, chunk: int) -> None:
        """A new exception, as the origin has it; the device keeps what it has behind its end."""
        if not self.room:
            raise StoreFullError("the store has no room for another changed chunk")
        if (len(self._waiting) + 1) * self._chunk_size > _MOST_WAITING:
            self.flush()
        start = chunk * self._chunk_size
        length = min(self._chunk_size, self.size - start)
        self._waiting[chunk] = bytearray(self._origin.read_at(start, length))

    def _waiting_in(self, offset: int, length: int) -> list[int]:
        """The waiting chunks that a range touches."""
        touched = range(offset // self._chunk_size, -(-(offset + length) // self._chunk_size))
        if len(touched) < len(self._waiting):
            return [chunk for chunk in touched if chunk in self._waiting]
        return [chunk for chunk in self._waiting if chunk in touched]
