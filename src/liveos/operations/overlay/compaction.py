# SPDX-License-Identifier: Apache-2.0
"""What a compacted store holds: the chunks that are live after a replay of the journal."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from liveos.formats.binary import FormatError
from liveos.formats.exception_store import ExceptionStore, Geometry
from liveos.formats.exception_store.compacting import is_dense
from liveos.medium.overlay.fates import Fate, Fates, fates, freed
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.view import Chunks, OverlayView
from liveos.operations.overlay.sound import require_pair, sound_store

Progress = Callable[[int, int], None]
"""Called with the bytes done so far, and the bytes that there are to do."""


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
