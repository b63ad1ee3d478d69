# SPDX-License-Identifier: Apache-2.0
"""A snapshot store that shows what an OverlayFS shows: of the root, only what differs."""

import numpy as np
from numpy.typing import NDArray

from liveos.errors import NoSpaceError, ProblemsFoundError
from liveos.formats.binary import ByteSource, ByteStore
from liveos.formats.exception_store import (
    LIVEOS_CHUNK_SECTORS,
    Geometry,
    MergedView,
    StoreWriter,
    read_store,
)
from liveos.host.folders.folder import FolderFile
from liveos.medium.overlay.changes.inodes import blocks_of_chunks
from liveos.medium.overlay.changes.report import layers_of
from liveos.medium.overlay.locate import OpenOverlay
from liveos.operations.overlay.upper.changed_root import ChangedRoot, changed_root
from liveos.report import Reporter
from liveos.sizes import format_size

GEOMETRY = Geometry(LIVEOS_CHUNK_SECTORS)

Chunks = NDArray[np.int64]
_AT_ONCE = 256  # chunks: 1 MiB


def write_store(overlay: OpenOverlay, place: FolderFile, size: int, reporter: Reporter) -> None:
    """A canonical store of ``size`` bytes at ``place``, which was read again.

    :raises NoSpaceError: the changes do not fit into it; nothing has been made then.
    """
    origin = overlay.need_origin_bytes()
    with changed_root(layers_of(overlay), origin, reporter) as root:
        chunks = different_chunks(root, origin)
        needed = GEOMETRY.chunks_for(len(chunks))
        if needed > GEOMETRY.chunks_in(size):
            least = GEOMETRY.off_boundary(needed) * GEOMETRY.chunk_size
            raise NoSpaceError(
                f"the changes do not fit into a store of {format_size(size)}: it needs"
                f" {format_size(least)}, and a little more for what is to come",
                hint=f"give it more than that with --size {-(-least // (1 << 20))}M",
            )
        room = needed * GEOMETRY.chunk_size
        with place.folder.create(place.name, size, room=room) as file:
            fill_store(root, chunks, file, reporter)
            file.flush()
            _require_equal(root, chunks, file, origin)


def different_chunks(root: ChangedRoot, origin: ByteSource) -> Chunks:
    """The chunks in which a changed root is not as it is packed, in order."""
    touched = blocks_of_chunks(
        root.suspects, root.block_size, GEOMETRY.chunk_size, -(-root.size // GEOMETRY.chunk_size)
    )
    candidates = np.flatnonzero(touched)
    found = [_differing(root, origin, first, count) for first, count in _runs(candidates)]
    return np.concatenate([np.empty(0, np.int64), *found])


def _differing(root: ByteSource, origin: ByteSource, first: int, count: int) -> Chunks:
    """Which of some chunks that lie together differ."""
    now, then = (_rows(source, first, count) for source in (root, origin))
    return np.flatnonzero((now != then).any(axis=1)) + first


def _rows(source: ByteSource, first: int, count: int) -> NDArray[np.uint8]:
    data = _chunks(source, first, count).ljust(count * GEOMETRY.chunk_size, b"\0")
    return np.frombuffer(data, np.uint8).reshape(count, GEOMETRY.chunk_size)


def fill_store(root: ByteSource, chunks: Chunks, file: ByteStore, reporter: Reporter) -> None:
    """Make ``file``, which reads as zeros, a store of these chunks."""
    writer = StoreWriter(file, GEOMETRY)
    total = len(chunks) * GEOMETRY.chunk_size
    for first, count in _runs(chunks):
        writer.append(first, _chunks(root, first, count))
        reporter.progress(writer.count * GEOMETRY.chunk_size, total)
    writer.finish()


def _require_equal(root: ByteSource, chunks: Chunks, file: ByteStore, origin: ByteSource) -> None:
    """:raises ProblemsFoundError: the new store shows something else than was put into it."""
    store = read_store(file)
    view = MergedView(origin, store, file)
    same = store.is_canonical and np.array_equal(store.old, chunks)
    if not same or any(
        _chunks(view, first, count) != _chunks(root, first, count) for first, count in _runs(chunks)
    ):
        raise ProblemsFoundError(
            "the new store was read again, and is not what was written",
            hint="the disk is failing, or it is smaller than it says; the old overlay is unchanged",
        )


def _chunks(source: ByteSource, first: int, count: int) -> bytes:
    """Some chunks, the last of which may be cut off by the end."""
    start, size = first * GEOMETRY.chunk_size, GEOMETRY.chunk_size
    return source.read_at(start, min(count * size, source.size - start))


def _runs(chunks: Chunks) -> list[tuple[int, int]]:
    """Ascending numbers as (first, count) of runs, none of them very long."""
    breaks = np.flatnonzero(np.diff(chunks) != 1) + 1
    return [
        (int(run[start]), min(_AT_ONCE, len(run) - start))
        for run in (np.split(chunks, breaks) if len(chunks) else ())
        for start in range(0, len(run), _AT_ONCE)
    ]
