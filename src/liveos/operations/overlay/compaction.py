# SPDX-License-Identifier: Apache-2.0
"""What a compacted store holds: the chunks that are live after a replay of the journal."""

import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from liveos.errors import ProblemsFoundError
from liveos.formats.binary import ByteStore
from liveos.formats.exception_store import ExceptionStore, Geometry, StoreWriter, read_store
from liveos.formats.exception_store.chunks import read_chunks
from liveos.formats.exception_store.compacting import is_dense
from liveos.medium.overlay.fates import Fate, Fates, fates
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.view import Chunks, OverlayView, among
from liveos.operations.overlay.sound import require_pair, sound_store

Progress = Callable[[int, int], None]
"""Called with the bytes done so far, and the bytes that there are to do."""

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
    def of(cls, overlay: OpenOverlay, progress: Progress = _no_progress) -> "Compaction":
        """Look at everything that is in a store.

        :raises UnsupportedError: the store is damaged.
        :raises RefusedError: it belongs to another root.
        """
        store = sound_store(overlay)
        view = OverlayView(store, overlay.need_store(), overlay.need_origin_bytes())
        require_pair(overlay, view.merged)
        return cls(store, view, fates(view, progress))

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
        rows = np.zeros((len(chunks), size), np.uint8)
        single = among(view.replayed, chunks) | (chunks >= view.merged.size // size)
        for place in np.flatnonzero(single).tolist():
            data = self.content(int(chunks[place]))
            rows[place, : len(data)] = np.frombuffer(data, np.uint8)
        if not single.all():
            exceptions = view.merged.old.searchsorted(chunks[~single])
            rows[~single] = view.merged.read_stored(exceptions)
        return rows

    def content(self, chunk: int) -> bytes:
        """One chunk after the replay, as far as the origin goes."""
        start = chunk * self.geometry.chunk_size
        end = min(start + self.geometry.chunk_size, self.view.merged.size)
        return self.view.content.read_at(start, end - start)


def write_compacted(
    compaction: Compaction, file: ByteStore, progress: Progress = _no_progress
) -> None:
    """Make ``file``, which reads as zeros, a store of the live chunks; then read it again.

    Records are in the order of the origin and data where the kernel would have put them.

    :raises ProblemsFoundError: what was read is not what was written.
    """
    live, size = compaction.live, compaction.geometry.chunk_size
    writer = StoreWriter(file, compaction.geometry)
    total, sums = 2 * len(live) * size, []
    for part, data in _batches(compaction):
        sums.append(zlib.crc32(data))
        writer.append_chunks(part, data)
        progress(writer.count * size, total)
    writer.finish()
    _verify(compaction, file, sums, lambda done: progress(total // 2 + done, total))


def _batches(compaction: Compaction) -> Iterator[tuple[Chunks, bytes]]:
    """Live chunks with their contents, some at a time; the next are read while these are used."""
    waiting: deque[tuple[Chunks, Future[bytes]]] = deque()
    with ThreadPoolExecutor(_AHEAD, thread_name_prefix="compact") as threads:
        for part in _parts(compaction):
            waiting.append((part, threads.submit(_packed, compaction, part)))
            if len(waiting) > _AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def _packed(compaction: Compaction, part: Chunks) -> bytes:
    return compaction.rows(part).tobytes()


def _parts(compaction: Compaction) -> Iterator[Chunks]:
    many = max(1, _BATCH // compaction.geometry.chunk_size)
    for start in range(0, len(compaction.live), many):
        yield compaction.live[start : start + many]


def _verify(
    compaction: Compaction, file: ByteStore, sums: list[int], progress: Callable[[int], None]
) -> None:
    store = read_store(file)
    if not (
        store.is_valid
        and store.terminated
        and store.is_canonical
        and np.array_equal(store.old, compaction.live)
    ):
        raise _differs("its records")
    done, size = 0, compaction.geometry.chunk_size
    for part, expected in zip(_parts(compaction), sums, strict=True):
        new = store.new[done : done + len(part)]
        if zlib.crc32(read_chunks(file, new, size).tobytes()) != expected:
            raise _differs("its data")
        done += len(part)
        progress(done * size)


def _differs(what: str) -> ProblemsFoundError:
    return ProblemsFoundError(
        f"the new store was read again, and {what} are not what was written",
        hint="the disk is failing, or it is smaller than it says; the old store is unchanged",
    )
