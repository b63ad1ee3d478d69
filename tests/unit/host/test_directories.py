# SPDX-License-Identifier: Apache-2.0
"""Directories of this machine: made, exchanged, removed; those of ext4 are tried with its tools."""

from pathlib import Path

import pytest

from liveos.errors import RefusedError, UnsupportedError
from liveos.host.folders.directories import (
    directory_names,
    exchange,
    make_directory,
    move_with_link,
    remove_tree,
    rename,
)
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.folder import HostFolder
from liveos.host.use import use_of_upper
from liveos.host.volumes import FatVolume

LABEL = "system_u:object_r:root_t:s0"


def test_made_exchanged_and_removed(tmp_path: Path) -> None:
    folder = HostFolder(tmp_path)
    (tmp_path / "a/deep").mkdir(parents=True)
    (tmp_path / "a/deep/file").write_text("x")
    make_directory(folder, "b", LABEL)
    assert (tmp_path / "b").stat().st_mode & 0o7777 == 0o755
    exchange(folder, [("a", "b")])
    assert (tmp_path / "b/deep/file").read_text() == "x"
    assert not any((tmp_path / "a").iterdir())
    rename(folder, [("b", "c")])
    assert directory_names(folder) == ("a", "c")
    remove_tree(folder, "c")
    remove_tree(folder, "c")
    assert directory_names(folder) == ("a",)


def test_a_link_of_the_old_name_leads_to_what_was_moved(tmp_path: Path) -> None:
    folder = HostFolder(tmp_path)
    (tmp_path / "old").mkdir()
    (tmp_path / "old/file").write_text("x")
    move_with_link(folder, "old", "new")
    assert not (tmp_path / "new").is_symlink()
    assert (tmp_path / "old").readlink() == Path("new")
    assert (tmp_path / "old/file").read_text() == "x"
    with pytest.raises(RefusedError, match="exists"):
        move_with_link(folder, "new", "old")


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    folder = HostFolder(tmp_path)
    for name in ("a", "b"):
        make_directory(folder, name, None)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(RefusedError, match="exists"):
        make_directory(folder, "a", None)
    with pytest.raises(RefusedError, match="exists"):
        rename(folder, [("a", "b")])
    for name in ("file", "link"):
        with pytest.raises(RefusedError, match="not a directory"):
            remove_tree(folder, name)
    with pytest.raises(FileNotFoundError):
        exchange(folder, [("a", "nothing")])
    assert directory_names(folder) == ("a", "b")


def test_names_do_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    folder = HostFolder(tmp_path / "inner")
    for name in ("..", "../x", ""):
        with pytest.raises(RefusedError):
            remove_tree(folder, name)
        with pytest.raises(RefusedError):
            make_directory(folder, name, None)


def test_fat_holds_no_directory_for_overlayfs() -> None:
    folder = FatFolder(FatVolume(Path("/nowhere"), 0, 1), "/LiveOS")
    with pytest.raises(UnsupportedError, match="neither owners"):
        make_directory(folder, "a", None)
    assert directory_names(folder) == ()


def test_a_directory_that_no_mount_uses(tmp_path: Path) -> None:
    assert use_of_upper(tmp_path) is None
