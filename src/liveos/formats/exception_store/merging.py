# SPDX-License-Identifier: Apache-2.0
"""Merging without the kernel: the view written out, or the exceptions put into the origin."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource, ByteStore
from liveos.formats.exception_store.edit import truncate
from liveos.formats.exception_store.geometry import SECTOR
from liveos.formats.exception_store.reader import ExceptionStore
from liveos.formats.exception_store.view import MergedView
from liveos.formats.exception_store.writer import write_area

# What a cut costs at most: these bytes are copied again by the next run.
_BATCH = 64 << 20
# Runs are read in pieces of at most this.
_PIECE = 1 << 20
# A run of zeros must cover whole blocks of this size to become a hole, as in most filesystems.
_GRAIN = 4096

_Column = NDArray[np.unsignedinteger]


def composed(
    view: MergedView, origin: ByteSource, store: ByteSource, offset: int, length: int
) -> bytes:
    """The same as ``view.read_at``, with one read of the origin however broken the range is.

    Origins that are decompressed on the way would unpack the same block for each of its pieces.
    """
    pieces = list(view.pieces(offset, length))
    if len(pieces) == 1 or all(piece.stored for piece in pieces):
        return view.read_at(offset, length)
    data = bytearray(origin.read_at(offset, length))
    for piece in pieces:
        if piece.stored:
            start = piece.offset - offset
            data[start : start + piece.length] = store.read_at(piece.source_offset, piece.length)
    return bytes(data)


def data_runs(data: bytes | memoryview) -> Iterator[tuple[int, int]]:
    """(start, stop) of what is left of ``data`` when its blocks of zeros are holes."""
    whole = len(data) // _GRAIN * _GRAIN
    blocks = np.frombuffer(data, np.uint64, whole // 8).reshape(-1, _GRAIN // 8)
    # Most blocks that hold something begin with it.
    filled = blocks[:, 0] != 0
    doubtful = np.flatnonzero(~filled)
    filled[doubtful] = blocks[doubtful].any(axis=1)
    if whole < len(data):
        filled = np.append(filled, any(data[whole:]))
    if filled.all() and len(data):
        yield 0, len(data)
        return
    edges = np.flatnonzero(np.diff(filled, prepend=False, append=False)) * _GRAIN
    for start, stop in edges.reshape(-1, 2).tolist():
        yield start, min(stop, len(data))


def merge_into_origin(
    origin: ByteStore,
    device: ByteStore,
    store: ExceptionStore,
    progress: Callable[[int], None] = lambda _done: None,
) -> None:
    """The kernel's snapshot-merge: put every exception into the origin and empty the store.

    ``store`` is the list of the store on ``device`` and has no damage. From the end
    of the list backwards, a batch is copied, the origin made durable, then the batch's records
    dropped: the list is the progress, and whoever finds it goes on where it ends (reference 2).
    ``progress`` gets the bytes that have reached the origin.
    """
    geometry = store.geometry
    end = origin.size // SECTOR * SECTOR
    per_batch = max(1, _BATCH // geometry.chunk_size // geometry.slots_per_area)
    step = per_batch * geometry.slots_per_area
    done = 0
    for start in reversed(range(0, store.count, step)):
        stop = min(start + step, store.count)
        part = slice(start, stop)
        for offset, data in _contents(store, device, part, end):
            origin.write_at(offset, data)
            done += len(data)
        origin.flush()
        progress(done)
        truncate(device, geometry, stop, start)
        _empty_behind(device, store, stop, start)
    device.flush()


def _empty_behind(device: ByteStore, store: ExceptionStore, count: int, left: int) -> None:
    """Zero the areas that a list of ``count`` records had and one of ``left`` has not."""
    slots = store.geometry.slots_per_area
    for area in range(left // slots + 1, count // slots + 1):
        write_area(device, store.geometry, area, store.old[:0], store.new[:0])


def _contents(
    store: ExceptionStore, source: ByteSource, part: slice, size: int
) -> Iterator[tuple[int, bytes]]:
    """(offset in the origin, bytes) of the exceptions in some slots, in the origin's order."""
    chunk = store.geometry.chunk_size
    for old, new, chunks in sorted_runs(store.old[part], store.new[part], _PIECE // chunk or 1):
        length = min(chunks * chunk, size - old * chunk)
        yield old * chunk, source.read_at(new * chunk, length)


def sorted_runs(old: _Column, new: _Column, most: int) -> Iterator[tuple[int, int, int]]:
    """(old, new, chunks) of neighbours in both columns, by ``old``, at most ``most`` each."""
    order = np.argsort(old, kind="stable")
    olds, news = old[order].astype(np.int64), new[order].astype(np.int64)
    breaks = np.flatnonzero((np.diff(olds) != 1) | (np.diff(news) != 1)) + 1
    firsts = [0, *breaks.tolist()] if len(olds) else []
    for first, end in zip(firsts, [*firsts[1:], len(olds)], strict=True):
        for start in range(first, end, most):
            yield int(olds[start]), int(news[start]), min(most, end - start)
