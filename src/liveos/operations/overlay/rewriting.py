# SPDX-License-Identifier: Apache-2.0
"""A store written anew with nothing but its live chunks, and read again."""

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from liveos.errors import ProblemsFoundError
from liveos.formats.binary import ByteStore
from liveos.formats.exception_store import Geometry, StoreWriter, read_store
from liveos.formats.exception_store.chunks import read_chunks_into
from liveos.medium.overlay.view import Chunks, among
from liveos.operations.overlay.compaction import Compaction, Progress

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_Rows = NDArray[np.uint8]

_PART = 16 << 20
_AHEAD = 2


def write_compacted(
    compaction: Compaction, file: ByteStore, progress: Progress = lambda _done, _total: None
) -> Chunks:
    """Make ``file``, which reads as zeros, a store of the live chunks; then read it again.

    Records are in the order of the origin and data where the kernel would have put them. Chunks
    that equal the origin are left out, also where that was not known before. Those that are in
    the new store are returned.

    :raises ProblemsFoundError: what was read is not what was written.
    """
    size = compaction.geometry.chunk_size
    writer = StoreWriter(file, compaction.geometry)
    total = 2 * len(compaction.live) * size
    parts = []
    done = 0
    for part, rows in _Reader(compaction).parts():
        writer.append_rows(part.chunks, rows)
        parts.append(part)
        done += part.looked_at * size
        progress(done, total)
    writer.finish()
    live = np.concatenate([part.chunks for part in parts]) if parts else compaction.live[:0]
    _require_list(file, live)
    places = accumulate((len(part.chunks) for part in parts), initial=0)
    check = partial(_sum_in, file, compaction.geometry)
    for part, found in zip(parts, _ahead(check, zip(places, parts, strict=False)), strict=True):
        if found != part.sum:
            raise _differs("its data")
        done += part.looked_at * size
        progress(done, total)
    return live


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """The live ones of some chunks, and the sum of their contents."""

    chunks: Chunks
    sum: int
    looked_at: int


class _Reader:
    """Reads live chunks with their contents after the replay, in threads, a part at a time.

    All parts share some memory, for to get and to clear new pages takes longer than to fill them.
    """

    def __init__(self, compaction: Compaction) -> None:
        self._compaction = compaction
        size = compaction.geometry.chunk_size
        self._most = max(1, _PART // size)
        self._spare = [np.empty((2, self._most, size), np.uint8) for _ in range(_AHEAD + 1)]

    def parts(self) -> Iterator[tuple[_Part, _Rows]]:
        """Each with a row for each of its chunks, to be used before the next is asked for."""
        live = self._compaction.live
        numbers = (live[start : start + self._most] for start in range(0, len(live), self._most))
        for part, rows, memory in _ahead(self._read, numbers):
            yield part, rows
            self._spare.append(memory)

    def _read(self, chunks: Chunks) -> tuple[_Part, _Rows, _Rows]:
        memory = self._spare.pop()
        rows, original = memory[:, : len(chunks)]
        self._fill(rows, chunks)
        keep = self._differ(chunks, rows, original)
        if not keep.all():
            rows = rows[keep]
        return _Part(chunks[keep], zlib.crc32(rows.data), len(chunks)), rows, memory

    def _fill(self, rows: _Rows, chunks: Chunks) -> None:
        """Put the contents of chunks into rows."""
        view = self._compaction.view
        single = among(view.replayed, chunks) | (chunks >= view.merged.size // rows.shape[1])
        if not single.any():
            view.merged.read_stored_into(rows, view.merged.old.searchsorted(chunks))
            return
        rows[~single] = view.merged.read_stored(view.merged.old.searchsorted(chunks[~single]))
        for place in np.flatnonzero(single).tolist():
            data = self._compaction.content(int(chunks[place]))
            rows[place] = np.frombuffer(data.ljust(rows.shape[1], b"\0"), np.uint8)

    def _differ(self, chunks: Chunks, rows: _Rows, original: _Rows) -> NDArray[np.bool_]:
        """Which rows are not what the origin has there; ``original`` is memory to work in."""
        view, size = self._compaction.view, rows.shape[1]
        # In order, so that the one that may be partial is the last.
        whole = int(np.count_nonzero(chunks < view.merged.size // size))
        read_chunks_into(original[:whole], view.origin, chunks[:whole])
        differ = np.ones(len(chunks), np.bool_)
        differ[:whole] = (rows[:whole].view(np.uint64) != original[:whole].view(np.uint64)).any(1)
        for place, chunk in enumerate(chunks[whole:].tolist(), whole):
            data = self._compaction.content(chunk)
            differ[place] = data != view.origin.read_at(chunk * size, len(data))
        return differ


def _ahead(function: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
    """``map``, some items of which are worked on in threads while the last result is used."""
    waiting: deque[Future[_Out]] = deque()
    with ThreadPoolExecutor(_AHEAD, thread_name_prefix="compact") as threads:
        for item in items:
            waiting.append(threads.submit(function, item))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _require_list(file: ByteStore, live: Chunks) -> None:
    """:raises ProblemsFoundError: the new store has another list than was written."""
    store = read_store(file)
    if not (
        store.is_valid
        and store.terminated
        and store.is_canonical
        and np.array_equal(store.old, live)
    ):
        raise _differs("its records")


def _sum_in(file: ByteStore, geometry: Geometry, place: tuple[int, _Part]) -> int:
    """The sum of data in canonical places: those of a part, from a slot on."""
    slot, part = place
    end, found = slot + len(part.chunks), 0
    while slot < end:
        stop = min(end, (slot // geometry.slots_per_area + 1) * geometry.slots_per_area)
        offset = geometry.canonical_chunk(slot) * geometry.chunk_size
        found = zlib.crc32(file.read_at(offset, (stop - slot) * geometry.chunk_size), found)
        slot = stop
    return found


def _differs(what: str) -> ProblemsFoundError:
    return ProblemsFoundError(
        f"the new store was read again, and {what} are not what was written",
        hint="the disk is failing, or it is smaller than it says; the old store is unchanged",
    )
