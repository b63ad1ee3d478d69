# SPDX-License-Identifier: Apache-2.0
"""An overlay as a filesystem: what the system would find on it after its next start.

V is what the kernel shows as the snapshot device: the origin with the exceptions of the store.
F is V with its journal replayed, which is where files and free blocks can be looked up: before
the replay, bitmaps and inodes are older than the blocks they speak of (reference 4.1).
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store import Duplicates, ExceptionStore, MergedView
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.replay import RecoveredSource, recover

Chunks = NDArray[np.uint32]


class OverlayView:
    """A store over its origin, both read in place.

    ``merged`` is V. ``recovered`` is F, and ``filesystem`` reads it; both are None, and
    ``problem`` says why, where the origin holds no ext filesystem or its journal cannot be
    replayed. ``content`` is F, or V where there is no F.

    :raises AmbiguousStoreError: records contradict each other, and ``duplicates`` does not say
        which count.
    :raises FormatError: the list of exceptions makes no sense to the kernel.
    """

    def __init__(
        self,
        store: ExceptionStore,
        store_source: ByteSource,
        origin: ByteSource,
        *,
        duplicates: Duplicates | None = None,
    ) -> None:
        self.origin = origin
        self.chunk_size = store.geometry.chunk_size
        self.merged = MergedView(origin, store, store_source, duplicates=duplicates)
        self.recovered: RecoveredSource | None = None
        self.filesystem: Ext4 | None = None
        self.problem: str | None = None
        try:
            self.recovered = recover(self.merged)
            self.filesystem = Ext4(self.recovered)
        except FormatError as error:
            self.problem = str(error)
        replayed = _chunks_of_blocks(self.recovered, self.chunk_size)
        self.replayed = replayed[replayed < self.chunks]
        self.added = self.replayed[~among(self.merged.old, self.replayed)]

    @property
    def chunks(self) -> int:
        """Chunks of the view; the last one may be partial."""
        return -(-self.merged.size // self.chunk_size)

    @property
    def content(self) -> ByteSource:
        """What the overlay shows: F, or V where there is no F."""
        return self.recovered or self.merged

    @cached_property
    def old(self) -> Chunks:
        """The chunks that may differ from the origin, in order.

        Those are the exceptions, and what the replay changed: ``replayed``, of which ``added``
        are no exceptions yet.
        """
        if not len(self.added):
            return self.merged.old
        return np.sort(np.concatenate((self.merged.old, self.added)))


def _chunks_of_blocks(recovered: RecoveredSource | None, chunk_size: int) -> Chunks:
    """The chunks that blocks changed by a replay lie in, in order."""
    if recovered is None:
        return np.empty(0, np.uint32)
    blocks, size = recovered.changed_blocks, recovered.block_size
    if size <= chunk_size:
        return np.unique(blocks // (chunk_size // size)).astype(np.uint32)
    per_block = size // chunk_size
    return (blocks[:, None] * per_block + np.arange(per_block)).reshape(-1).astype(np.uint32)


def among(chunks: Chunks, wanted: Chunks) -> NDArray[np.bool_]:
    """Which of ``wanted`` are among ``chunks``; both are in order."""
    if not len(chunks):
        return np.zeros(len(wanted), np.bool_)
    places = np.minimum(chunks.searchsorted(wanted), len(chunks) - 1)
    return np.asarray(chunks[places] == wanted)
