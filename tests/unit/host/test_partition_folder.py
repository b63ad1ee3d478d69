# SPDX-License-Identifier: Apache-2.0
"""A partition as a folder: nothing outside it changes, and its beginning comes last."""

from contextlib import suppress
from pathlib import Path

import pytest

from liveos.errors import NoSpaceError, UnsupportedError
from liveos.host.folders.partition import PartitionFolder

MIB = 1 << 20
BEFORE = bytes([7]) * (4 * MIB)


@pytest.fixture
def folder(tmp_path: Path) -> PartitionFolder:
    path = tmp_path / "stick.img"
    path.write_bytes(BEFORE)
    return PartitionFolder(path, MIB, 2 * MIB, 4, filled=False)


def content(folder: PartitionFolder) -> bytes:
    data = folder.path.read_bytes()
    assert data[:MIB] == BEFORE[:MIB]
    assert data[3 * MIB :] == BEFORE[3 * MIB :]
    return data[MIB : 3 * MIB]


def test_what_is_written_is_there(folder: PartitionFolder) -> None:
    assert folder.names() == ()
    assert folder.free() == 2 * MIB
    with folder.create("x", 2 * MIB) as file:
        file.write_at(60_000, b"a" * 20_000)
        file.write_at(0, b"head")
        file.write_at(MIB, b"far")
        assert file.read_at(0, 4) == b"head"
        assert file.read_at(59_998, 4) == b"\0\0aa"
        # Nobody takes it for anything yet.
        assert not any(content(folder)[: 64 << 10])
    data = content(folder)
    assert data[:4] == b"head"
    assert data[60_000:80_000] == b"a" * 20_000
    assert data[MIB : MIB + 3] == b"far"
    with folder.open("x") as stored:
        assert stored.read_at(0, 4) == b"head"


def test_what_failed_is_nothing(folder: PartitionFolder) -> None:
    with suppress(ZeroDivisionError), folder.create("x", 2 * MIB) as file:
        file.write_at(0, b"head")
        raise ZeroDivisionError
    assert not any(content(folder)[: 64 << 10])


def test_removing_clears_its_beginning(folder: PartitionFolder) -> None:
    folder.remove("x")
    assert not any(content(folder))


def test_writing_in_place(folder: PartitionFolder) -> None:
    with folder.open("x", writable=True) as file:
        file.write_at(5, b"in place")
    assert content(folder)[5:13] == b"in place"


def test_there_is_one_file_of_its_size(folder: PartitionFolder) -> None:
    with pytest.raises(NoSpaceError), folder.create("x", 2 * MIB + 1):
        pass
    with pytest.raises(UnsupportedError):
        folder.resize("x", MIB)
    with pytest.raises(UnsupportedError):
        folder.replace("x", "y")
    full = PartitionFolder(folder.path, MIB, MIB, 4, filled=True)
    assert full.names() == ("partition 4",)
    assert full.free() == 0
    with full.hold("partition 4"):
        pass
