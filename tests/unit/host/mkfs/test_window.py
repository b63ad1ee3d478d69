# SPDX-License-Identifier: Apache-2.0
"""What a program has written to a sparse file arrives at its place, and is compared."""

import os
from pathlib import Path

import pytest

from liveos.errors import ProblemsFoundError
from liveos.host.mkfs import window
from liveos.host.mkfs.window import Move, data_ranges, put
from liveos.host.volumes import StagedVolume

BLOCK = 4096


def volume(tmp_path: Path) -> StagedVolume:
    disk = tmp_path / "disk"
    disk.write_bytes(b"\xa5" * 40 * BLOCK)
    return StagedVolume(disk, 8 * BLOCK, 16 * BLOCK, tmp_path, blank=False)


def test_only_what_is_named_is_written(tmp_path: Path) -> None:
    file, where = tmp_path / "file", volume(tmp_path)
    file.write_bytes(b"1" * BLOCK + b"2" * 100)
    seen: list[tuple[int, int]] = []
    put(
        where,
        [Move(file, BLOCK, 2 * BLOCK, BLOCK), Move(file, 0, 15 * BLOCK, BLOCK)],
        lambda done, total: seen.append((done, total)),
    )
    disk = where.path.read_bytes()
    assert disk[10 * BLOCK : 11 * BLOCK] == b"2" * 100 + bytes(BLOCK - 100)
    assert disk[23 * BLOCK : 24 * BLOCK] == b"1" * BLOCK
    untouched = disk[: 10 * BLOCK] + disk[11 * BLOCK : 23 * BLOCK] + disk[24 * BLOCK :]
    assert untouched == b"\xa5" * 38 * BLOCK
    assert seen[-1] == (4 * BLOCK, 4 * BLOCK)


def test_a_disk_that_gives_back_other_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, where = tmp_path / "file", volume(tmp_path)
    file.write_bytes(b"1" * BLOCK)
    monkeypatch.setattr(window, "crc32_of", lambda *_: -1)
    with pytest.raises(ProblemsFoundError, match="other bytes"):
        put(where, [Move(file, 0, 0, BLOCK)], lambda *_: None)


def test_holes_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "sparse"
    with file.open("wb") as out:
        out.truncate(64 << 20)
        os.pwrite(out.fileno(), b"x", (32 << 20) + 5)
    (found,) = data_ranges(file)
    assert found[0] <= 32 << 20 < sum(found) < 34 << 20
    assert all(number % BLOCK == 0 for number in found)
    file.write_bytes(b"")
    assert data_ranges(file) == []
