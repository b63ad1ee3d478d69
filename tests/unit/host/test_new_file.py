# SPDX-License-Identifier: Apache-2.0
"""New files get their name when they are whole, and take nobody else's."""

import os
from pathlib import Path

import pytest

from liveos.errors import RefusedError
from liveos.host.folders.new_file import clone, data_ranges, new_file


def test_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new"
    with new_file(path, 8) as descriptor:
        os.pwrite(descriptor, b"data", 2)
        assert not path.exists()
    assert path.read_bytes() == b"\0\0data\0\0"
    assert [each.name for each in tmp_path.iterdir()] == ["new"]


def test_nothing_is_left_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_file(tmp_path / "new", 8):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["new", "new.part"])
def test_what_is_there_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(RefusedError), new_file(tmp_path / "new", 8):
        pass
    assert (tmp_path / name).read_bytes() == b"mine"
    with new_file(tmp_path / "new", 8, replaces=True):
        pass
    assert (tmp_path / "new").read_bytes() == bytes(8)
    assert [each.name for each in tmp_path.iterdir()] == ["new"]


def test_what_appears_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "new"
    with pytest.raises(RefusedError), new_file(path, 8):
        path.write_bytes(b"mine")
    assert path.read_bytes() == b"mine"


def test_the_replaced_file_stays_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), new_file(path, 8, replaces=True):
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"


def test_data_ranges_cover_all_data(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(40 << 20)
        for offset in (0, 3 << 20, 20 << 20):
            file.seek(offset)
            file.write(b"data" * 1024)
    ranges = list(data_ranges(path))
    for offset in (0, 3 << 20, 20 << 20):
        assert any(start <= offset and offset + 4096 <= stop for start, stop in ranges)
    assert sum(stop - start for start, stop in ranges) <= 40 << 20


def test_a_clone_is_equal_or_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"data" * 4096)
    with new_file(tmp_path / "new", 8192) as descriptor:
        cloned = clone(source, descriptor, 8192)
    assert (tmp_path / "new").read_bytes() == (b"data" * 2048 if cloned else bytes(8192))
