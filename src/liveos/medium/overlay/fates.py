# SPDX-License-Identifier: Apache-2.0
"""What of an overlay is alive: the chunks that a compacted overlay would still have.

A chunk may be dropped when the filesystem has no block in use there (FREED), or when it holds
what the origin holds (EQUAL); reference 4.1. Blocks of the journal are in use, so that they are
never FREED: what the origin has there could pass for a transaction to come.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import FormatError
from liveos.formats.exception_store.chunks import read_chunks
from liveos.formats.ext4.groups import free_map
from liveos.medium.overlay.view import Chunks, OverlayView, among

Bits = NDArray[np.bool_]
Places = NDArray[np.intp]
Progress = Callable[[int, int], None]
"""Called with the bytes compared so far, and the bytes that there are to compare."""

_PIECE = 1 << 20
_WINDOW = 1 << 16
_AHEAD = 3


class Fate(IntEnum):
    """What may become of a chunk."""

    LIVE = 0
    FREED = 1
    EQUAL = 2


@dataclass(frozen=True, eq=False)
class Fates:
    """The fate of each chunk of ``old``, which is that of the view.

    ``added`` are the chunks of ``old`` that are in no store yet: the replay of the journal
    changed them. ``problem`` says why nothing could be FREED, where that is so.
    """

    old: Chunks
    fate: NDArray[np.uint8]
    added: Chunks
    chunk_size: int
    problem: str | None

    def chunks(self, fate: Fate) -> Chunks:
        """The chunks with this fate, in order."""
        return self.old[np.flatnonzero(self.fate == fate)]

    def count(self, fate: Fate) -> int:
        return int(np.count_nonzero(self.fate == fate))

    def size(self, fate: Fate) -> int:
        """Bytes of the store, in whole chunks."""
        return self.count(fate) * self.chunk_size


def fates(view: OverlayView, progress: Progress = lambda _done, _total: None) -> Fates:
    """The fate of every chunk that may differ from the origin.

    Freed chunks are not read; of the others, store and origin are read once, in the order of
    the origin.

    :raises FormatError: data of the store or of the origin cannot be read.
    """
    fate = np.full(len(view.old), Fate.LIVE, np.uint8)
    problem = view.problem
    try:
        fate[freed(view)] = Fate.FREED
    except FormatError as error:
        problem = str(error)
    total = int(np.count_nonzero(fate == Fate.LIVE)) * view.chunk_size
    done = 0
    for places, equal in _compared(view, fate):
        fate[places[equal]] = Fate.EQUAL
        done += len(places) * view.chunk_size
        progress(done, total)
    return Fates(view.old, fate, view.added, view.chunk_size, problem)


def freed(view: OverlayView) -> Bits:
    """For each chunk of ``view.old``, whether it has free blocks of the filesystem only.

    :raises FormatError: there is no filesystem, or its bitmaps are not to be relied on.
    """
    fs = view.filesystem
    if fs is None:
        raise FormatError(view.problem or "no filesystem that can be read")
    if not fs.superblock.is_clean:
        raise FormatError("the filesystem has errors, or was in use without a journal")
    block_size = fs.superblock.block_size
    if block_size > view.chunk_size:
        return _at(free_map(fs), view.old // (block_size // view.chunk_size))
    per_chunk = view.chunk_size // block_size
    # Blocks behind the filesystem may hold anything; behind the origin, there is nothing.
    free = np.ones(view.chunks * per_chunk, np.bool_)
    free[: -(-view.merged.size // block_size)] = False
    known = free_map(fs)
    free[: len(known)] = known
    all_free: Bits = free.reshape(-1, per_chunk).min(axis=1)
    return all_free[view.old]


def _at(free: Bits, blocks: NDArray[np.integer]) -> Bits:
    """Whether these blocks are free; those behind the filesystem are not."""
    inside = blocks < len(free)
    return np.asarray(inside & free[np.where(inside, blocks, 0)])


def _compared(view: OverlayView, fate: NDArray[np.uint8]) -> Iterator[tuple[Places, Bits]]:
    """Places of live chunks, some at a time, and which of them hold what the origin holds."""
    waiting: deque[tuple[Places, Future[Bits]]] = deque()
    with ThreadPoolExecutor(_AHEAD, thread_name_prefix="compare") as threads:
        for places in _live(fate, max(1, _PIECE // view.chunk_size)):
            waiting.append((places, threads.submit(_are_equal, view, places)))
            if len(waiting) == _AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def _live(fate: NDArray[np.uint8], most: int) -> Iterator[Places]:
    """Places of live chunks in order, at most so many at a time."""
    for start in range(0, len(fate), _WINDOW):
        live = start + np.flatnonzero(fate[start : start + _WINDOW] == Fate.LIVE)
        for first in range(0, len(live), most):
            yield live[first : first + most]


def _are_equal(view: OverlayView, places: Places) -> Bits:
    """Which of the chunks ``view.old[places]`` hold what the origin holds."""
    old = view.old[places]
    # Parts of chunks, chunks of blocks from the journal and huge ones are compared one by one.
    single = (old >= view.merged.size // view.chunk_size) | among(view.replayed, old)
    if view.chunk_size > _PIECE:
        single[:] = True
    equal = np.zeros(len(old), np.bool_)
    equal[single] = [_is_equal(view, chunk) for chunk in old[single].tolist()]
    exceptions = places[~single] - view.added.searchsorted(old[~single])
    stored = view.merged.read_stored(exceptions)
    original = read_chunks(view.origin, old[~single], view.chunk_size)
    equal[~single] = (stored.view(np.uint64) == original.view(np.uint64)).all(axis=1)
    return equal


def _is_equal(view: OverlayView, chunk: int) -> bool:
    """The same for one chunk, after the replay and as far as the origin goes."""
    start = chunk * view.chunk_size
    end = min(start + view.chunk_size, view.merged.size)
    pieces = ((offset, min(_PIECE, end - offset)) for offset in range(start, end, _PIECE))
    return all(view.content.read_at(*piece) == view.origin.read_at(*piece) for piece in pieces)
