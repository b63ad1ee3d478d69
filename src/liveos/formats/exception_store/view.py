# SPDX-License-Identifier: Apache-2.0
"""The origin with its exceptions applied: what the kernel shows as the snapshot device."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource, FormatError, TruncatedError
from liveos.formats.exception_store.chunks import read_chunks_into
from liveos.formats.exception_store.errors import AmbiguousStoreError
from liveos.formats.exception_store.geometry import SECTOR
from liveos.formats.exception_store.kernel import Duplicates
from liveos.formats.exception_store.reader import ExceptionStore

# A key is an origin chunk in the high half and the slot of its record in the low half, so that
# one sorted column of 8 bytes per exception finds and orders them.
_SLOT_BITS = np.uint64(32)
_SLOT_MASK = np.uint64(0xFFFF_FFFF)
_MAX_ORIGIN_CHUNKS = 1 << 32
# The kernel keeps a run's length in the high 8 bits of a chunk number.
_MAX_CHUNK = (1 << 56) - 1
_WINDOW = 1 << 16


@dataclass(frozen=True, slots=True)
class Piece:
    """``length`` bytes of the view at ``offset``; ``stored`` says which source has them, where."""

    offset: int
    length: int
    stored: bool
    source_offset: int


class MergedView:
    """A byte source: ``origin`` with the chunks that ``store`` has taken over.

    ``store_source`` holds the data of the exceptions. The view is as long as the origin, in
    whole sectors. Whether the store is valid is the caller's to decide. Records for chunks
    behind the end of the origin cannot be reached, as in the kernel; a record whose data lie
    behind the end of the store gives `TruncatedError` when they are read.

    :raises AmbiguousStoreError: two records map one chunk differently and ``duplicates`` does
        not say which counts.
    :raises FormatError: a record has bits that the kernel misreads, or the origin is too large.
    """

    def __init__(
        self,
        origin: ByteSource,
        store: ExceptionStore,
        store_source: ByteSource,
        *,
        duplicates: Duplicates | None = None,
    ) -> None:
        self._origin = origin
        self._store_source = store_source
        self._chunk_size = store.geometry.chunk_size
        self._size = origin.size // SECTOR * SECTOR
        self._new = store.new
        chunks = -(-self._size // self._chunk_size)
        self._keys = _unique(_sorted_keys(store, chunks), store.new, duplicates)

    @property
    def size(self) -> int:
        return self._size

    @property
    def changed_chunks(self) -> int:
        """Chunks of the view that lie in the store."""
        return len(self._keys)

    @property
    def old(self) -> NDArray[np.uint32]:
        """The chunks of the view that lie in the store, in order; takes no memory of its own."""
        return self._keys.astype("<u8", copy=False).view("<u4")[1::2]

    def read_stored(self, which: NDArray[np.integer]) -> NDArray[np.uint8]:
        """The data of the chunks ``old[which]``, a row for each; whole chunks of the store."""
        rows = np.empty((len(which), self._chunk_size), np.uint8)
        self.read_stored_into(rows, which)
        return rows

    def read_stored_into(self, rows: NDArray[np.uint8], which: NDArray[np.integer]) -> None:
        """The same, into memory that is there already."""
        places = self._new[self._keys[which] & _SLOT_MASK]
        read_chunks_into(rows, self._store_source, places)

    def read_at(self, offset: int, length: int) -> bytes:
        return b"".join(self._read(piece) for piece in self.pieces(offset, length))

    def pieces(self, offset: int, length: int) -> Iterator[Piece]:
        """The range in order and without gaps, in the largest contiguous pieces of a source.

        Neighbouring exceptions whose data are neighbours too make one piece.
        """
        if offset < 0 or length < 0 or offset + length > self._size:
            raise TruncatedError(
                f"bytes {offset}..{offset + length} lie outside a view of {self._size} bytes"
            )
        position, end = offset, offset + length
        for old, new, chunks in self._runs(offset, end):
            start = max(old * self._chunk_size, offset)
            stop = min((old + chunks) * self._chunk_size, end)
            if position < start:
                yield Piece(position, start - position, stored=False, source_offset=position)
            source_offset = new * self._chunk_size + start - old * self._chunk_size
            yield Piece(start, stop - start, stored=True, source_offset=source_offset)
            position = stop
        if position < end:
            yield Piece(position, end - position, stored=False, source_offset=position)

    def _read(self, piece: Piece) -> bytes:
        source = self._store_source if piece.stored else self._origin
        return source.read_at(piece.source_offset, piece.length)

    def _runs(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(old, new, chunks) of the runs that touch bytes ``start`` to ``end``, in order."""
        if start == end:
            return
        chunks = np.array([start // self._chunk_size, -(-end // self._chunk_size)], dtype=np.uint64)
        # The last chunk of the largest origin plus one would not fit into the high half.
        low = int(self._keys.searchsorted(chunks[0] << _SLOT_BITS))
        high = int(
            self._keys.searchsorted((chunks[1] - np.uint64(1)) << _SLOT_BITS | _SLOT_MASK, "right")
        )
        for first in range(low, high, _WINDOW):
            yield from _runs_of(self._keys[first : min(first + _WINDOW, high)], self._new)


def _runs_of(
    keys: NDArray[np.uint64], new: NDArray[np.unsignedinteger]
) -> Iterator[tuple[int, int, int]]:
    olds = (keys >> _SLOT_BITS).astype(np.int64)
    news = new[keys & _SLOT_MASK].astype(np.int64)
    breaks = np.flatnonzero((np.diff(olds) != 1) | (np.diff(news) != 1)) + 1
    firsts = np.concatenate(([0], breaks))
    lengths = np.diff(np.concatenate((firsts, [len(keys)])))
    yield from zip(olds[firsts].tolist(), news[firsts].tolist(), lengths.tolist(), strict=True)


def _sorted_keys(store: ExceptionStore, origin_chunks: int) -> NDArray[np.uint64]:
    """The keys of all records that can be reached; made in windows, to spare memory."""
    if origin_chunks > _MAX_ORIGIN_CHUNKS:
        raise FormatError(f"an origin of {origin_chunks} chunks is too large")
    keys = np.empty(np.count_nonzero(store.old < origin_chunks), np.uint64)
    done = 0
    for start in range(0, store.count, _WINDOW):
        olds = store.old[start : start + _WINDOW]
        slots = start + np.flatnonzero(olds < origin_chunks)
        _require_sane(store, slots)
        part = keys[done : done + len(slots)]
        part[:] = store.old[slots]
        part <<= _SLOT_BITS
        part |= slots.astype(np.uint64)
        done += len(slots)
    keys.sort()
    return keys


def _require_sane(store: ExceptionStore, slots: NDArray[np.intp]) -> None:
    """Refuse chunk numbers beyond 56 bits: the kernel takes their high bits for a run length."""
    if store.new.dtype == np.uint64:
        wild = slots[store.new[slots] > _MAX_CHUNK]
        if len(wild):
            raise FormatError(f"record {wild[0]} names a chunk number that no store has")


def _unique(
    keys: NDArray[np.uint64], new: NDArray[np.unsignedinteger], rule: Duplicates | None
) -> NDArray[np.uint64]:
    """One key for each chunk of the origin."""
    repeats = _repeats(keys)
    if not len(repeats):
        return keys
    if rule is None:
        _require_equal(keys, repeats, new)
    kept = np.ones(len(keys), dtype=bool)
    kept[repeats if rule is not Duplicates.LAST else repeats - 1] = False
    return keys[kept]


def _repeats(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Positions of keys with the same chunk as the key before; in windows, to spare memory."""
    found = [np.empty(0, np.int64)]
    for start in range(1, len(keys), _WINDOW):
        chunks = keys[start - 1 : start + _WINDOW] >> _SLOT_BITS
        found.append(np.flatnonzero(chunks[1:] == chunks[:-1]) + start)
    return np.concatenate(found)


def _require_equal(
    keys: NDArray[np.uint64], repeats: NDArray[np.int64], new: NDArray[np.unsignedinteger]
) -> None:
    unequal = new[keys[repeats] & _SLOT_MASK] != new[keys[repeats - 1] & _SLOT_MASK]
    if unequal.any():
        chunk = int(keys[repeats[unequal][0]] >> _SLOT_BITS)
        raise AmbiguousStoreError(f"two records give chunk {chunk} of the origin different data")
