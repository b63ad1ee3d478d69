# SPDX-License-Identifier: Apache-2.0
"""Byte sources give the same bytes whichever way they are read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import (
    ByteSource,
    FileSource,
    MemorySource,
    TruncatedError,
    Window,
    read_into,
)

DATA = bytes(range(256)) * 3


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[ByteSource]:
    """Sources whose bytes are those of ``DATA`` from the tenth on."""
    path = tmp_path_factory.mktemp("binary") / "file"
    path.write_bytes(DATA)
    size = len(DATA) - 10
    return [
        Window(FileSource(path), 10, size),
        Window(Window(FileSource(path), 4, len(DATA) - 4), 6, size),
        Window(MemorySource(DATA), 10, size),
        MemorySource(DATA[10:]),
    ]


@given(st.integers(0, len(DATA) - 10), st.data())
def test_bytes_in_place_are_those_read(
    sources: list[ByteSource], offset: int, draw: st.DataObject
) -> None:
    length = draw.draw(st.integers(0, len(DATA) - 10 - offset))
    for source in sources:
        buffer = bytearray(length)
        read_into(source, offset, memoryview(buffer))
        assert buffer == DATA[10 + offset : 10 + offset + length] == source.read_at(offset, length)


@pytest.mark.parametrize("number", range(4))
def test_nothing_is_filled_beyond_the_end(sources: list[ByteSource], number: int) -> None:
    with pytest.raises(TruncatedError):
        read_into(sources[number], len(DATA) - 11, memoryview(bytearray(2)))


def test_a_file_that_has_become_shorter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    with FileSource(path) as source:
        assert source.size == len(DATA)
        path.write_bytes(DATA[:5])
        with pytest.raises(TruncatedError, match="became shorter"):
            read_into(source, 0, memoryview(bytearray(10)))
