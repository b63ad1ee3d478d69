# SPDX-License-Identifier: Apache-2.0
"""Where the changes lie in the root filesystem and what they are: why an overlay is full."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store import (
    LIVEOS_CHUNK_SECTORS,
    ExceptionStore,
    Geometry,
    Header,
    Tail,
    read_header,
    read_store,
)
from liveos.formats.ext4.owners import BlockUse, owners
from liveos.medium.overlay.fates import Fate, Fates, fates
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.view import OverlayView

Progress = Callable[[int, int], None]
"""Called with the bytes compared so far, and the bytes that there are to compare."""


class Part(IntEnum):
    """What a chunk of the root is to the overlay. The first two are not in the store."""

    EMPTY = 0
    """Never changed, and no file has it."""

    BASE = 1
    """Never changed, and in use."""

    FILES = 2
    """Changed: content of files."""

    STRUCTURE = 3
    """Changed: directories, inode tables, bitmaps and the like."""

    JOURNAL = 4
    """Changed: the filesystem's journal."""

    FREED = 5
    """Changed, but no file has it any more; the store still holds it."""

    EQUAL = 6
    """Changed to what the root has there anyway."""

    REPLAYED = 7
    """Waiting in the journal: not in the store yet, but after the next start."""


STORED = (Part.FILES, Part.STRUCTURE, Part.JOURNAL, Part.FREED, Part.EQUAL)
"""What takes room in the store."""

_PART_OF_USE = np.full(len(BlockUse), Part.STRUCTURE, np.uint8)
_PART_OF_USE[BlockUse.FILE] = Part.FILES
_PART_OF_USE[BlockUse.JOURNAL] = Part.JOURNAL
_PART_OF_USE[BlockUse.FREE] = Part.FILES  # a chunk that is live and of which nothing is known


@dataclass(frozen=True, eq=False)
class Analysis:
    """The `Part` of each chunk of the root, in order.

    ``gain`` are the bytes that a compaction gives back. ``problem`` says why it is not known
    what is in use, where that is so: everything changed then counts as files.
    """

    chunk_size: int
    parts: NDArray[np.uint8]
    gain: int
    problem: str | None = None

    def size(self, part: Part) -> int:
        """Bytes in whole chunks."""
        return int(np.count_nonzero(self.parts == part)) * self.chunk_size

    def cells(self, count: int) -> NDArray[np.int64]:
        """Chunks of each `Part` in each of ``count`` equal stretches of the root.

        One row for each cell, one column for each part. A root of fewer chunks has fewer cells.
        """
        chunks = len(self.parts)
        count = max(1, min(count, chunks))
        cell = np.arange(chunks, dtype=np.int64) * count // max(1, chunks)
        kinds = len(Part)
        found = np.bincount(cell * kinds + self.parts, minlength=count * kinds)
        return found.reshape(count, kinds)


def analyse(overlay: OpenOverlay, progress: Progress = lambda _done, _total: None) -> Analysis:
    """What every chunk of the root is; reads what is live, of the store and of the root.

    :raises UsageError: the root under the overlay is not known.
    :raises FormatError: store or root cannot be read.
    """
    source = overlay.need_store()
    store = _store(source)
    view = OverlayView(store, source, overlay.need_origin_bytes())
    found = fates(view, progress)
    uses, problem = _uses(view)
    parts = _parts(found, uses)
    live = found.count(Fate.LIVE)
    chunks = store.next_free() - store.geometry.chunks_for(live)
    gain = max(0, chunks) * view.chunk_size
    return Analysis(view.chunk_size, parts, gain, problem or found.problem)


def _store(source: ByteSource) -> ExceptionStore:
    """The store, or what the kernel will make of a blank one."""
    if not read_header(source).is_blank:
        return read_store(source)
    nothing = np.empty(0, np.uint32)
    header = Header.new(Geometry(LIVEOS_CHUNK_SECTORS))
    return ExceptionStore(header, source.size, nothing, nothing, Tail(), terminated=True)


def _parts(found: Fates, uses: NDArray[np.uint8]) -> NDArray[np.uint8]:
    parts = np.where(uses == BlockUse.FREE, Part.EMPTY, Part.BASE).astype(np.uint8)
    old = found.old
    changed = _PART_OF_USE[uses[old]]
    changed[found.fate == Fate.FREED] = Part.FREED
    changed[found.fate == Fate.EQUAL] = Part.EQUAL
    parts[old] = changed
    parts[found.added] = Part.REPLAYED
    return parts


def _uses(view: OverlayView) -> tuple[NDArray[np.uint8], str | None]:
    """The `BlockUse` of each chunk, by its blocks that are in use; or FILE, and why."""
    nothing_known = np.full(view.chunks, BlockUse.FILE, np.uint8)
    if view.filesystem is None:
        return nothing_known, view.problem
    try:
        use = owners(view.filesystem).use
    except FormatError as error:
        return nothing_known, str(error)
    block_size = view.filesystem.superblock.block_size
    if block_size >= view.chunk_size:
        by_chunk = np.repeat(use, block_size // view.chunk_size)
    else:
        per_chunk = view.chunk_size // block_size
        whole = np.zeros(-(-len(use) // per_chunk) * per_chunk, np.uint8)
        whole[: len(use)] = use
        by_chunk = whole.reshape(-1, per_chunk).max(axis=1)
    known = min(len(by_chunk), view.chunks)
    nothing_known[:known] = by_chunk[:known]
    return nothing_known, None
