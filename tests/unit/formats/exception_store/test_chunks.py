# SPDX-License-Identifier: Apache-2.0
"""Chunks read together are the chunks read one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import MemorySource, TruncatedError
from liveos.formats.exception_store.chunks import read_chunks, read_chunks_into

CHUNKS = 60


class CountingSource(MemorySource):
    """Counts how often it is read."""

    reads = 0

    def read_at(self, offset: int, length: int) -> bytes:
        self.reads += 1
        return super().read_at(offset, length)


@given(st.lists(st.integers(0, CHUNKS - 1), max_size=40), st.sampled_from([512, 4096, 32768]))
def test_rows_are_the_chunks_asked_for(numbers: list[int], size: int) -> None:
    data = b"".join(b"%04d" % (place * 4 // size) for place in range(CHUNKS * size // 4))
    rows = read_chunks(MemorySource(data), np.array(numbers, np.uint32), size)
    assert rows.shape == (len(numbers), size)
    assert [row.tobytes() for row in rows] == [
        data[number * size : (number + 1) * size] for number in numbers
    ]


def test_rows_of_a_part_of_memory_are_filled_in_place() -> None:
    source = MemorySource(b"".join(bytes([number]) * 512 for number in range(CHUNKS)))
    memory = np.zeros((2, 8, 512), np.uint8)
    read_chunks_into(memory[1, 2:7], source, np.array([9, 20, 21, 22, 9], np.uint32))
    assert memory[:, :, 0].tolist() == [[0] * 8, [0, 0, 9, 20, 21, 22, 9, 0]]
    assert (memory == memory[:, :, :1]).all()


def test_neighbours_are_read_at_once() -> None:
    source = CountingSource(bytes(CHUNKS * 512))
    read_chunks(source, np.array([7, 5, 6, 11, 40, 17], np.uint32), 512)
    assert source.reads == 3  # 5 to 11 with a gap of four, 17 behind one of five, 40


def test_chunks_that_are_not_there() -> None:
    with pytest.raises(TruncatedError):
        read_chunks(MemorySource(bytes(1000)), np.array([1], np.uint32), 512)
