# SPDX-License-Identifier: Apache-2.0
"""A file inside an unmounted ext4, written in place.

Bytes go straight to the blocks that the file has. Unwritten extents (a preallocated overlay) read
as zeros until `Ext4File.flush` has made the bytes durable and then, in one transaction, marked
the extents as written: a power cut shows zeros or the new bytes, never what an earlier
file left there. Holes get blocks, as unwritten extents, before they are written.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from liveos.errors import NoSpaceError
from liveos.host.ext4 import BlockRun, parse_extents
from liveos.host.folders.ext4_extents import require_blocks, rewriting, with_written
from liveos.host.folders.folder import StoredFile, check_range

Judge = Callable[[str], None]
Apply = Callable[[Sequence[str], Judge | None], str]
"""Commands of debugfs run as one transaction, if the judge agrees; what debugfs has printed."""

_AHEAD = 16 << 20  # bytes that a hole gets at once where there is room


class Ext4File:
    """``size`` bytes of an inode of the filesystem in ``window``."""

    def __init__(
        self, window: StoredFile, inode: int, size: int, block_size: int, apply: Apply
    ) -> None:
        self.size = size
        self._window = window
        self._inode = inode
        self._block_size = block_size
        self._apply = apply
        blocks = -(-size // block_size)
        self._readable = np.zeros(blocks, np.bool_)  # what lies in its place counts
        self._pending = np.zeros(blocks, np.bool_)  # of these, blocks of unwritten extents
        self._runs: list[BlockRun] = []
        self._starts: list[int] = []

    def place(self, runs: Iterable[BlockRun]) -> None:
        """Say where the file's blocks lie."""
        self._runs = list(runs)
        self._starts = [run.logical for run in runs]
        for run in self._runs:
            if run.written:
                self._readable[run.logical : run.logical + run.length] = True

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self, offset, length)
        return b"".join(
            bytes(stop - start) if place is None else self._read(start, stop, place)
            for start, stop, place in self._places(offset, offset + length)
        )

    def write_at(self, offset: int, data: bytes) -> None:
        check_range(self, offset, len(data))
        if not data:
            return
        size = self._block_size
        first, stop = offset // size, -(-(offset + len(data)) // size)
        self._allocate(first, stop)
        start, data = self._with_whole_blocks(offset, data)
        view = memoryview(data)
        for low, high, place in self._places(start, start + len(data)):
            assert place is not None
            self._window.write_at(place, bytes(view[low - start : high - start]))
        self._pending[first:stop] |= ~self._readable[first:stop]
        self._readable[first:stop] = True

    def flush(self) -> None:
        self._window.flush()
        if not self._pending.any():
            return
        new = with_written(self._runs, _ranges(self._pending))
        lines = rewriting(self._runs, new)
        self._apply([f"extent_open <{self._inode}>", *lines, "extent_close"], None)
        self._pending[:] = False
        self.place(new)

    def _places(self, offset: int, end: int) -> Iterator[tuple[int, int, int | None]]:
        """(start, stop, byte of the window) of the parts of a range; None in a hole."""
        size = self._block_size
        index = max(0, bisect_right(self._starts, offset // size) - 1)
        for run in self._runs[index:]:
            first = run.logical * size
            start, stop = max(offset, first), min(end, first + run.length * size)
            if first >= end:
                break
            if start >= stop:
                continue
            if offset < start:
                yield offset, start, None
            yield start, stop, run.physical * size + start - first
            offset = stop
        if offset < end:
            yield offset, end, None

    def _read(self, start: int, stop: int, place: int) -> bytes:
        """A part within one run, where some blocks may not count yet."""
        size = self._block_size
        readable = self._readable[start // size : -(-stop // size)]
        if not readable.any():
            return bytes(stop - start)
        data = self._window.read_at(place, stop - start)
        if readable.all():
            return data
        cleared = bytearray(data)
        for low, high in _ranges(~readable):
            begin = max(0, low * size - start % size)
            end = min(len(data), high * size - start % size)
            cleared[begin:end] = bytes(end - begin)
        return bytes(cleared)

    def _with_whole_blocks(self, offset: int, data: bytes) -> tuple[int, bytes]:
        """What to write, and where: a block that does not count yet is written whole."""
        size = self._block_size
        before = offset % size
        if before and not self._readable[offset // size]:
            offset, data = offset - before, bytes(before) + data
        end = offset + len(data)
        if end % size and not self._readable[end // size]:
            data += bytes(size - end % size)
        return offset, data

    def _allocate(self, first: int, stop: int) -> None:
        """Give blocks to what of the range has none; where there is room, to more behind it."""
        size = self._block_size
        parts = self._places(first * size, stop * size)
        holes = [(start // size, end // size) for start, end, place in parts if place is None]
        if not holes:
            return
        low = holes[0][0]
        wished = min(len(self._readable), max(stop, low + _AHEAD // size))
        try:
            self._fallocate(low, wished)
        except NoSpaceError:
            self._fallocate(low, stop)

    def _fallocate(self, first: int, stop: int) -> None:
        inode = f"<{self._inode}>"
        lines = [f"fallocate {inode} {first} {stop - 1}", f"dump_extents {inode}"]
        said = self._apply(lines, lambda said: require_blocks(parse_extents(said), first, stop))
        self.place(parse_extents(said))


def _ranges(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, stop) of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
    return [(int(first), int(stop)) for first, stop in edges.reshape(-1, 2)]
