# SPDX-License-Identifier: Apache-2.0
"""Unwritten extents of ext4 that become written in part: the new list, and debugfs's words for it.

An extent covers blocks of a file that are all written or all unwritten. Where a part of an
unwritten one has been written, it is split; where what is written now continues the extent
before it, that one grows instead, so that a file filled in order stays in few extents.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from liveos.errors import NoSpaceError
from liveos.host.ext4 import BlockRun

LONGEST_WRITTEN = 1 << 15
"""Blocks of a written extent at most; an unwritten one has one less (``ext4_extents.h``)."""


def with_written(runs: Sequence[BlockRun], ranges: Iterable[tuple[int, int]]) -> list[BlockRun]:
    """The extents of a file after the blocks of ``ranges`` have been written.

    ``ranges`` are (first, stop), ascending and apart; every block of them has a place in ``runs``.
    """
    new: list[BlockRun] = []
    waiting = list(reversed(list(ranges)))
    for run in runs:
        cuts = []
        end = run.logical + run.length
        while waiting and waiting[-1][0] < end:
            first, stop = waiting.pop()
            cuts.append((first, min(stop, end)))
            if stop > end:
                waiting.append((end, stop))
                break
        if run.written or not cuts:
            new.append(run)
        else:
            _append_pieces(new, _pieces(run, cuts))
    return new


def rewriting(old: Sequence[BlockRun], new: Sequence[BlockRun]) -> list[str]:
    """Commands for debugfs, between ``extent_open`` and ``extent_close``, that turn old into new.

    Both cover the same blocks of the file.
    """
    lines: list[str] = []
    for before, after, following in _differences(old, new):
        for run in before[1:]:
            lines += (f"goto_block {run.logical}", "delete_node")
        lines += (f"goto_block {before[0].logical}", f"replace_node {_words(after[0])}")
        lines += (f"insert_node --after {_words(run)}" for run in after[1:])
        if following is not None:
            # It may be the first of its node now, whose parent still tells of a deleted one.
            lines += (f"goto_block {following.logical}", "fix_parents")
    return lines


def require_blocks(runs: Iterable[BlockRun], first: int, stop: int) -> None:
    """:raises NoSpaceError: some block of the file in this range has no place."""
    overlaps = (min(_end(run), stop) - max(run.logical, first) for run in runs)
    if sum(max(0, overlap) for overlap in overlaps) < stop - first:
        raise NoSpaceError("the filesystem has not enough free blocks", hint="make room there")


def _pieces(run: BlockRun, cuts: Iterable[tuple[int, int]]) -> Iterator[BlockRun]:
    """An unwritten run in parts, those of ``cuts`` being written."""
    position = run.logical
    for first, stop in cuts:
        if first > position:
            yield _part(run, position, first, written=False)
        yield _part(run, first, stop, written=True)
        position = stop
    if position < run.logical + run.length:
        yield _part(run, position, run.logical + run.length, written=False)


def _part(run: BlockRun, first: int, stop: int, *, written: bool) -> BlockRun:
    return BlockRun(first, run.physical + first - run.logical, stop - first, written=written)


def _append_pieces(runs: list[BlockRun], pieces: Iterable[BlockRun]) -> None:
    """Add pieces; a written one that continues the last run makes that one longer."""
    for piece in pieces:
        last = runs[-1] if runs else None
        if (
            last is not None
            and last.written
            and piece.written
            and last.logical + last.length == piece.logical
            and last.physical + last.length == piece.physical
            and last.length + piece.length <= LONGEST_WRITTEN
        ):
            runs[-1] = replace(last, length=last.length + piece.length)
        else:
            runs.append(piece)


def _differences(
    old: Sequence[BlockRun], new: Sequence[BlockRun]
) -> Iterator[tuple[Sequence[BlockRun], Sequence[BlockRun], BlockRun | None]]:
    """Runs that differ, the runs that are there instead, and the first old one behind them."""
    left = right = 0
    while left < len(old):
        low, high = left, right
        left, right = left + 1, right + 1
        while (end := _end(old[left - 1])) != (reached := _end(new[right - 1])):
            if end < reached:
                left += 1
            else:
                right += 1
        if list(old[low:left]) != list(new[high:right]):
            yield old[low:left], new[high:right], old[left] if left < len(old) else None


def _end(run: BlockRun) -> int:
    return run.logical + run.length


def _words(run: BlockRun) -> str:
    unwritten = "" if run.written else "--uninit "
    return f"{unwritten}{run.logical} {run.length} {run.physical}"
