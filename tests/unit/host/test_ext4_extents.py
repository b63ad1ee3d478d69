# SPDX-License-Identifier: Apache-2.0
"""Extents that become written in part, against a list of single blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.errors import NoSpaceError
from liveos.host.ext4 import BlockRun
from liveos.host.folders.ext4_extents import (
    LONGEST_WRITTEN,
    require_blocks,
    rewriting,
    with_written,
)

Block = tuple[int, bool]


def blocks(runs: list[BlockRun]) -> dict[int, Block]:
    """Each block of a file with its place, and whether it is written."""
    return {
        run.logical + i: (run.physical + i, run.written) for run in runs for i in range(run.length)
    }


@st.composite
def files(draw: st.DrawFn) -> list[BlockRun]:
    """Extents with gaps in the file, some of them adjacent on the disk."""
    runs = []
    logical = physical = 100
    for _ in range(draw(st.integers(1, 8))):
        logical += draw(st.sampled_from([0, 0, 3]))
        physical += draw(st.sampled_from([0, 0, 50]))
        length = draw(st.integers(1, 12))
        runs.append(BlockRun(logical, physical, length, written=draw(st.booleans())))
        logical, physical = logical + length, physical + length
    return runs


def ranges(numbers: set[int]) -> list[tuple[int, int]]:
    firsts = sorted(n for n in numbers if n - 1 not in numbers)
    stops = sorted(n + 1 for n in numbers if n + 1 not in numbers)
    return list(zip(firsts, stops, strict=True))


@given(files(), st.data())
def test_exactly_the_blocks_that_were_written_become_so(
    runs: list[BlockRun], data: st.DataObject
) -> None:
    before = blocks(runs)
    unwritten = sorted(number for number, (_, written) in before.items() if not written)
    chosen = data.draw(st.sets(st.sampled_from(unwritten))) if unwritten else set()
    new = with_written(runs, ranges(chosen))
    assert blocks(new) == {
        number: (place, written or number in chosen) for number, (place, written) in before.items()
    }
    assert new == sorted(new, key=lambda run: run.logical)


@given(files(), st.data())
def test_untouched_extents_stay_as_they_are(runs: list[BlockRun], data: st.DataObject) -> None:
    assert with_written(runs, []) == runs
    assert rewriting(runs, runs) == []


def test_what_continues_an_extent_makes_it_longer() -> None:
    runs = [BlockRun(0, 10, 4, written=True), BlockRun(4, 14, 6, written=False)]
    assert with_written(runs, [(4, 6)]) == [
        BlockRun(0, 10, 6, written=True),
        BlockRun(6, 16, 4, written=False),
    ]


def test_no_extent_becomes_longer_than_the_format_allows() -> None:
    runs = [
        BlockRun(0, 10, LONGEST_WRITTEN - 1, written=True),
        BlockRun(LONGEST_WRITTEN - 1, LONGEST_WRITTEN + 9, 2, written=False),
    ]
    new = with_written(runs, [(LONGEST_WRITTEN - 1, LONGEST_WRITTEN + 1)])
    assert [run.length for run in new] == [LONGEST_WRITTEN - 1, 2]


def test_the_words_for_a_split() -> None:
    old = [BlockRun(0, 10, 8, written=False), BlockRun(8, 90, 1, written=True)]
    assert rewriting(old, with_written(old, [(2, 4)])) == [
        "goto_block 0",
        "replace_node --uninit 0 2 10",
        "insert_node --after 2 2 12",
        "insert_node --after --uninit 4 4 14",
        "goto_block 8",
        "fix_parents",
    ]


def test_blocks_that_are_missing_are_noticed() -> None:
    runs = [BlockRun(0, 10, 4, written=False), BlockRun(6, 30, 4, written=True)]
    require_blocks(runs, 0, 4)
    require_blocks(runs, 7, 9)
    require_blocks(runs, 5, 5)
    for first, stop in ((0, 5), (3, 8), (9, 11), (20, 21)):
        with pytest.raises(NoSpaceError):
            require_blocks(runs, first, stop)
