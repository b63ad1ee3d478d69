# SPDX-License-Identifier: Apache-2.0
"""What marks a partition whose encryption is under way."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.encryption_mark import (
    HEADER_ROOM,
    TAIL_SIZE,
    Mark,
    Stage,
    read_mark,
    read_stage,
    room_of,
    tail_of,
)
from liveos.formats.identify import Kind, identify
from tests.unit.medium.payloads import BARE_EXT4

MIB = 1 << 20
SIZE = 40 * MIB
VOLUME = UUID("6c697665-6f73-4000-8000-00000000000e")
MARK = Mark.of(VOLUME, 4 * MIB, SIZE)


class Sparse:
    """A large source of zeros, but for some bytes."""

    def __init__(self, size: int = SIZE) -> None:
        self.size = size
        self.parts: dict[int, bytes] = {}

    def put(self, offset: int, data: bytes) -> "Sparse":
        self.parts[offset] = data
        return self

    def read_at(self, offset: int, length: int) -> bytes:
        found = bytearray(length)
        for start, data in self.parts.items():
            low, high = max(offset, start), min(offset + length, start + len(data))
            if low < high:
                found[low - offset : high - offset] = data[low - start : high - start]
        return bytes(found)


@given(st.integers(0, 1 << 50))
def test_there_is_room_for_everything(size: int) -> None:
    room = room_of(size)
    assert room >= 0
    if room:
        assert room + HEADER_ROOM <= tail_of(size)
        assert tail_of(size) + TAIL_SIZE <= size
        assert size - room < HEADER_ROOM + TAIL_SIZE + 4096


def test_it_is_known_by_its_mark() -> None:
    source = Sparse().put(0, MARK.pack())
    assert read_mark(source) == MARK
    identity = identify(source)
    assert identity is not None
    assert (identity.kind, identity.uuid) == (Kind.ENCRYPTING, str(VOLUME))


def test_with_an_ext4_behind_it_nothing_has_begun() -> None:
    source = Sparse().put(1024, BARE_EXT4[1024:4096]).put(0, MARK.pack())
    assert read_mark(source) is None
    identity = identify(source)
    assert identity is not None
    assert identity.kind is Kind.EXT4


@pytest.mark.parametrize(
    "mark",
    [
        replace(MARK, contents=5 * MIB),
        replace(MARK, contents=0).sealed(),
        replace(MARK, contents=room_of(SIZE) + 4096).sealed(),
        replace(MARK, contents=4 * MIB + 1).sealed(),
        replace(MARK, tail=MARK.tail + 4096).sealed(),
        replace(MARK, magic=bytes(40)).sealed(),
    ],
)
def test_a_mark_that_lies_is_none(mark: Mark) -> None:
    assert read_mark(Sparse().put(0, mark.pack())) is None


def test_the_last_note_that_is_whole_counts() -> None:
    first = Stage.first(MARK)
    second = first.then(moved=MIB)
    third = second.then(moved=0, placed=True)
    source = Sparse()
    for stage in (first, second, third):
        source.put(MARK.slot(stage.number), stage.pack())
        assert read_stage(source, MARK) == stage
    source.put(MARK.slot(third.number), third.pack()[:-1] + b"\xff")
    assert read_stage(source, MARK) == second
    other = replace(third, volume=bytes(16), number=9).sealed()
    source.put(MARK.slot(third.number), other.pack())
    assert read_stage(source, MARK) == second
    source.put(MARK.slot(second.number), replace(second, moved=SIZE).sealed().pack())
    with pytest.raises(FormatError, match="cannot be read"):
        read_stage(source, MARK)


@given(st.binary(max_size=8192))
def test_arbitrary_bytes(data: bytes) -> None:
    assert read_mark(MemorySource(data)) is None
    assert read_mark(MemorySource(MARK.pack()[:41] + data)) is None
