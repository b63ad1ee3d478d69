# SPDX-License-Identifier: Apache-2.0
"""What a compacted store holds: the chunks that are live after a replay of the journal."""

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from liveos.errors import ProblemsFoundError
from liveos.formats.binary import ByteStore, FormatError
from liveos.formats.exception_store import ExceptionStore, Geometry, StoreWriter, read_store
from liveos.formats.exception_store.chunks import read_chunks
from liveos.formats.exception_store.compacting import is_dense
from liveos.medium.overlay.fates import Fate, Fates, fates, freed
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.view import Chunks, OverlayView, among
from liveos.operations.overlay.sound import require_pair, sound_store

Progress = Callable[[int, int], None]
"""Called with the bytes done so far, and the bytes that there are to do."""

_In = TypeVar("_In")
_Out = TypeVar("_Out")

_BATCH = 16 << 20
_AHEAD = 2


def _no_progress(_done: int, _total: int) -> None:
    """Say nothing."""


@dataclass(frozen=True, eq=False)
class Compaction:
    """A store, the filesystem on it, and what is to become of each of its chunks."""

    store: ExceptionStore
    view: OverlayView
    fates: Fates

    @classmethod
    def of(
        cls, overlay: OpenOverlay, progress: Progress = _no_progress, *, compare: bool = True
    ) -> "Compaction":
        """Look at a store; with ``compare`` at everything in it, else without reading its data.

        Then chunks that equal the origin count as live.

        :raises UnsupportedError: the store is damaged.
        :raises RefusedError: it belongs to another root.
        """
        store = sound_store(overlay)
        view = OverlayView(store, overlay.need_store(), overlay.need_origin_bytes())
        require_pair(overlay, view.merged)
        return cls(store, view, fates(view, progress) if compare else fates_at_sight(view))

    @property
    def geometry(self) -> Geometry:
        return self.store.geometry

    @cached_property
    def live(self) -> Chunks:
        """The chunks that a compacted store has, in order."""
        return self.fates.chunks(Fate.LIVE)

    @property
    def replays(self) -> bool:
        """Whether the filesystem's journal holds what is nowhere else yet."""
        return self.view.recovered is not None and self.view.recovered.replayed

    @property
    def least_chunks(self) -> int:
        """The smallest store that holds it and does not die when it fills."""
        return self.geometry.off_boundary(self.geometry.chunks_for(len(self.live)))

    @property
    def gains(self) -> int:
        """Bytes of the store that could be used again; negative if the replay takes more."""
        present = self.geometry.data_chunks_in(self.store.next_free())
        return (present - len(self.live)) * self.geometry.chunk_size

    @property
    def is_compact(self) -> bool:
        """Whether nothing would be gained or replayed."""
        dropped = self.store.count != len(self.live) or len(self.fates.added)
        return not (dropped or self.replays) and is_dense(self.store)

    def rows(self, chunks: Chunks) -> NDArray[np.uint8]:
        """The contents of live chunks after the replay, a row for each."""
        view, size = self.view, self.geometry.chunk_size
        single = among(view.replayed, chunks) | (chunks >= view.merged.size // size)
        stored = view.merged.read_stored(view.merged.old.searchsorted(chunks[~single]))
        if not single.any():
            return stored
        rows = np.zeros((len(chunks), size), np.uint8)
        rows[~single] = stored
        for place in np.flatnonzero(single).tolist():
            data = self.content(int(chunks[place]))
            rows[place, : len(data)] = np.frombuffer(data, np.uint8)
        return rows

    def differs(self, chunks: Chunks, rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which rows are not what the origin has there."""
        size, origin = self.geometry.chunk_size, self.view.origin
        # In order, so that the one that may be partial is the last.
        whole = int(np.count_nonzero(chunks < self.view.merged.size // size))
        original = read_chunks(origin, chunks[:whole], size)
        differs = np.ones(len(chunks), np.bool_)
        differs[:whole] = (rows[:whole].view(np.uint64) != original.view(np.uint64)).any(axis=1)
        for place, chunk in enumerate(chunks[whole:].tolist(), whole):
            data = self.content(chunk)
            differs[place] = data != origin.read_at(chunk * size, len(data))
        return differs

    def content(self, chunk: int) -> bytes:
        """One chunk after the replay, as far as the origin goes."""
        start = chunk * self.geometry.chunk_size
        end = min(start + self.geometry.chunk_size, self.view.merged.size)
        return self.view.content.read_at(start, end - start)


def fates_at_sight(view: OverlayView) -> Fates:
    """The fates that the filesystem's free blocks tell; equal chunks count as live."""
    fate = np.full(len(view.old), Fate.LIVE, np.uint8)
    problem = view.problem
    try:
        fate[freed(view)] = Fate.FREED
    except FormatError as error:
        problem = str(error)
    return Fates(view.old, fate, view.added, view.chunk_size, problem)


def write_compacted(
    compaction: Compaction, file: ByteStore, progress: Progress = _no_progress
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
    for part in _ahead(partial(_Part.read, compaction), _numbers(compaction)):
        writer.append_rows(part.chunks, part.rows)
        done += part.looked_at * size
        parts.append(part.sealed())
        progress(done, total)
    writer.finish()
    live = np.concatenate([part.chunks for part in parts]) if parts else compaction.live[:0]
    _require_list(file, live)
    places = [sum(len(each.chunks) for each in parts[:number]) for number in range(len(parts))]
    check = partial(_sum_in, file, compaction.geometry)
    for part, found in zip(parts, _ahead(check, zip(places, parts, strict=True)), strict=True):
        if found != part.sum:
            raise _differs("its data")
        done += part.looked_at * size
        progress(done, total)
    return live


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """Some live chunks with their contents, which are dropped when their sum is enough."""

    chunks: Chunks
    rows: NDArray[np.uint8]
    sum: int
    looked_at: int

    @classmethod
    def read(cls, compaction: Compaction, chunks: Chunks) -> "_Part":
        rows, differs = compaction.rows(chunks), compaction.differs
        keep = differs(chunks, rows)
        if not keep.all():
            rows = rows[keep]
        return cls(chunks[keep], rows, zlib.crc32(rows.data), len(chunks))

    def sealed(self) -> "_Part":
        return replace(self, rows=np.empty((0, 0), np.uint8))


def _numbers(compaction: Compaction) -> Iterator[Chunks]:
    many = max(1, _BATCH // compaction.geometry.chunk_size)
    for start in range(0, len(compaction.live), many):
        yield compaction.live[start : start + many]


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
