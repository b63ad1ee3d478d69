# SPDX-License-Identifier: Apache-2.0
"""Copies of /etc/skel: faithful for what is there, and safe whatever is there."""

from pathlib import Path

import pytest

from liveos.errors import RefusedError, UnsupportedError
from liveos.operations.home.skeleton import copy_skeleton
from tests.unit.operations.overlay.test_extract import Entry, Made, file, folder, link


def skeleton(*entries: Entry) -> Made:
    return Made(folder("etc", folder("skel", *entries)))


def test_files_directories_and_links(tmp_path: Path) -> None:
    tree = skeleton(
        file(".bash rc", b"text", 0o755),
        file("secret", b"s", 0o000),
        folder(".config", folder("deep", file("f", b""))),
        link("passwd", "/etc/passwd"),
        Entry("null", 0o020666),
    )
    copy_skeleton(tree, "liveuser", tmp_path)
    assert (tmp_path / ".bash rc").read_bytes() == b"text"
    assert (tmp_path / ".bash rc").stat().st_mode == 0o100755
    assert (tmp_path / "secret").stat().st_mode == 0o100400
    assert (tmp_path / ".config/deep/f").read_bytes() == b""
    assert (tmp_path / "passwd").readlink() == Path("/etc/passwd")
    assert {path.name for path in tmp_path.iterdir()} == {
        ".bash rc", "secret", ".config", "passwd",
    }  # fmt: skip


@pytest.mark.parametrize("tree", [Made(), Made(folder("etc")), Made(folder("etc", file("skel")))])
def test_there_may_be_none(tree: Made, tmp_path: Path) -> None:
    copy_skeleton(tree, "liveuser", tmp_path)
    assert not list(tmp_path.iterdir())


def nested(depth: int) -> Entry:
    inner = file("f")
    for _ in range(depth):
        inner = folder("d", inner)
    return inner


@pytest.mark.parametrize(
    "entries",
    [
        (file("a"), file("a")),
        (link("a", "/tmp"), folder("a", file("b"))),
        (link("a", "/tmp/x"), file("a")),
        (file("a", b"damaged"),),
        (link("a", ""),),
        (link("a", "x\0y"),),
        (link("a", "x" * 4096),),
        (nested(100),),
        tuple(file(str(number)) for number in range(10_001)),
        (file("a", bytes((64 << 20) + 1)),),
    ],
)
def test_hostile_ones_are_refused(entries: tuple[Entry, ...], tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="/etc/skel"):
        copy_skeleton(skeleton(*entries), "liveuser", tmp_path)


@pytest.mark.parametrize("name", ["..", "a/b", "."])
def test_names_lead_nowhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="not the name of a file"):
        copy_skeleton(skeleton(file(name)), "liveuser", tmp_path)


def test_what_the_image_has_for_a_user_comes_first(tmp_path: Path) -> None:
    home = folder("home", folder("ann", file("hers", b"1")))
    tree = Made(folder("etc", folder("skel", file("s", b""))), home)
    copy_skeleton(tree, "ann", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["hers"]
