# SPDX-License-Identifier: Apache-2.0
"""Facts about targets: files here; devices by a made-up /sys and /proc."""

import os
from pathlib import Path

import pytest

from liveos.host.target import UNFINISHED_NOTICE, TargetKind, look_at


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.iso"
    path.write_bytes(b"source")
    return path


def test_a_new_file(tmp_path: Path, source: Path) -> None:
    found = look_at(tmp_path / "new.img", source)
    assert found.kind is TargetKind.MISSING
    assert found.writable
    assert found.size is None
    assert found.free


def test_a_missing_directory(tmp_path: Path, source: Path) -> None:
    assert not look_at(tmp_path / "no" / "new.img", source).parent_exists


def test_a_symbolic_link_is_followed(tmp_path: Path, source: Path) -> None:
    (tmp_path / "link").symlink_to("real.img")
    assert look_at(tmp_path / "link", source).path == tmp_path / "real.img"


@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to])
def test_the_source_under_another_name(tmp_path: Path, source: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "other", source)
    assert look_at(tmp_path / "other", source).is_source


def test_what_is_no_file(tmp_path: Path, source: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        assert look_at(path, source).kind is TargetKind.OTHER


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_read_only_file_or_directory(tmp_path: Path, source: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    file.chmod(0o444)
    assert not look_at(file, source).writable
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    assert not look_at(closed / "new.img", source).writable


@pytest.mark.parametrize(
    ("left", "ours"),
    [(b"", True), (UNFINISHED_NOTICE + bytes(500), True), (b"mine", False), (bytes(512), False)],
)
def test_what_a_killed_run_left_is_known(
    tmp_path: Path, source: Path, left: bytes, ours: bool
) -> None:
    (tmp_path / "new.img.part").write_bytes(left)
    found = look_at(tmp_path / "new.img", source)
    assert found.part is TargetKind.FILE
    assert found.part_is_ours is ours
