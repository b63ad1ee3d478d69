# SPDX-License-Identifier: Apache-2.0
"""Directories of an unmounted ext4, as debugfs and e2fsck see them afterwards."""

import os
import random
import subprocess
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from liveos.errors import RefusedError, UnsupportedError
from liveos.formats.binary import FileSource, Window
from liveos.formats.ext4.reader import Ext4
from liveos.host.folders.ext4_trees import exchange, make_directory, remove_tree, rename
from liveos.host.volumes import Ext4Volume
from tests.sampling import Sampling
from tests.tools.host.power_cuts import leave, recorded
from tests.tools.host.test_ext4_folder import LAYOUTS, MODERN, OFFSET, check, debugfs, make

pytestmark = pytest.mark.tools

MIB = 1 << 20
BARE = ("whiteout", "short")  # without blocks of content
LABEL = "system_u:object_r:root_t:s0"


def fill(top: Path) -> None:
    """A tree with everything that could be hard to remove."""
    deep = top / "tree" / "a" / "b" / 'c "quoted" name'
    deep.mkdir(parents=True)
    many = top / "tree" / "many"
    many.mkdir()
    for number in range(700):
        (many / f"file {number:04} with a long name, so that the directory has blocks").write_text(
            str(number)
        )
    (deep / "line\nfeed").write_text("x")
    (deep / "link").symlink_to("/nowhere/" + "x" * 100)
    (deep / "large").write_bytes(random.Random(1).randbytes(300_000))
    os.setxattr(deep / "large", "user.much of it", b"x" * 900)
    os.setxattr(deep, "user.two", b"y" * 400)
    os.link(deep / "large", top / "tree" / "inner link")
    (top / "stays").write_text("stays")
    os.link(top / "stays", deep / "outer link")
    os.mkfifo(deep / "pipe")
    (top / "ovlwork" / "work").mkdir(parents=True)


@pytest.fixture(params=LAYOUTS)
def volume(request: pytest.FixtureRequest, tmp_path: Path) -> Ext4Volume:
    fill(tmp_path / "source" / "LiveOS")
    options = (*LAYOUTS[request.param], "-d", str(tmp_path / "source"))
    path = tmp_path / "stick.img"
    with path.open("wb") as file:
        file.truncate(OFFSET + 32 * MIB)
    words = ["mke2fs", "-q", "-F", "-t", "ext4", *options, "-E", f"offset={OFFSET}", "-J", "size=4"]
    subprocess.run([*words, path, "32768k"], check=True, capture_output=True)
    found = Ext4Volume(path, OFFSET, 32 * MIB)
    debugfs(found, "cd /LiveOS/tree", "mknod whiteout c 0 0", "symlink short x")
    debugfs(found, "cd /LiveOS/tree", *(f"ea_set {it} user.a {'x' * 800}" for it in BARE))
    check(found)
    return found


def paths(volume: Ext4Volume) -> list[str]:
    with FileSource(volume.path) as source:
        tree = Ext4(Window(source, volume.offset, volume.size))
        return sorted(node.path for node in tree.walk() if node.path != "/lost+found")


REST = ["/LiveOS", "/LiveOS/ovlwork", "/LiveOS/ovlwork/work", "/LiveOS/stays"]


def test_a_tree_is_removed_with_everything_in_it(volume: Ext4Volume) -> None:
    remove_tree(volume, "/LiveOS", "tree")
    check(volume)
    assert paths(volume) == REST
    assert "Links: 1 " in debugfs(volume, "stat /LiveOS/stays")
    remove_tree(volume, "/LiveOS", "tree")  # is gone


def test_as_much_is_free_as_without_the_tree(tmp_path: Path) -> None:
    volume = make(tmp_path / "stick.img")
    free = [line for line in debugfs(volume, "stats").splitlines() if "Free " in line]
    source = tmp_path / "large"
    source.write_bytes(b"x" * MIB)
    make_directory(volume, "/LiveOS", "tree", LABEL)
    debugfs(volume, "cd /LiveOS/tree", f"write {source} x", f"ea_set x user.a {'x' * 900}")
    remove_tree(volume, "/LiveOS", "tree")
    check(volume)
    assert [line for line in debugfs(volume, "stats").splitlines() if "Free " in line] == free


@pytest.mark.parametrize("layout", ["modern", "old"])
def test_shared_blocks_of_attributes_stay_with_who_has_them(layout: str, tmp_path: Path) -> None:
    """The kernel shares them, debugfs does not."""
    volume = make(tmp_path / "stick.img", LAYOUTS[layout])
    make_directory(volume, "/LiveOS", "tree", None)
    debugfs(volume, "cd /LiveOS/tree", "write /dev/null x", f"ea_set x user.a {'x' * 900}")
    debugfs(volume, "cd /LiveOS", "write /dev/null y")
    block = int(debugfs(volume, "stat /LiveOS/tree/x").partition("File ACL: ")[2].split()[0])
    debugfs(volume, f"sif /LiveOS/y file_acl {block}", "sif /LiveOS/y blocks 8")
    with volume.path.open("r+b") as file:
        file.seek(OFFSET + block * 4096 + 4)
        file.write((2).to_bytes(4, "little"))  # h_refcount
    if layout == "modern":  # its checksum is wrong now
        subprocess.run(["e2fsck", "-f", "-y", str(volume)], capture_output=True, check=False)
    check(volume)
    remove_tree(volume, "/LiveOS", "tree")
    check(volume)
    assert "x" * 900 in debugfs(volume, "ea_get /LiveOS/y user.a")


def test_new_directories_are_roots_and_labelled(tmp_path: Path) -> None:
    volume = make(tmp_path / "stick.img")
    make_directory(volume, "/LiveOS", "new", LABEL)
    check(volume)
    inode = debugfs(volume, "stat /LiveOS/new")
    assert "Mode:  0755" in inode
    assert "User:     0   Group:     0" in inode
    assert f'"{LABEL}\\000"' in debugfs(volume, "ea_get /LiveOS/new security.selinux")
    with pytest.raises(RefusedError, match="exists"):
        make_directory(volume, "/LiveOS", "new", LABEL)


def test_directories_get_each_others_names(volume: Ext4Volume) -> None:
    make_directory(volume, "/LiveOS", "empty", None)
    make_directory(volume, "/LiveOS", "empty work", None)
    exchange(volume, "/LiveOS", [("tree", "empty"), ("ovlwork", "empty work")])
    check(volume)
    found = paths(volume)
    assert "/LiveOS/empty/many" in found
    assert "/LiveOS/empty work/work" in found
    assert not [path for path in found if path.startswith(("/LiveOS/tree/", "/LiveOS/ovlwork/"))]
    rename(volume, "/LiveOS", [("empty", "other"), ("tree", "free")])
    check(volume)
    assert "/LiveOS/other/many" in paths(volume)


def test_what_is_no_directory_is_refused(volume: Ext4Volume) -> None:
    before = volume.path.read_bytes()
    with pytest.raises(RefusedError, match="not a directory"):
        remove_tree(volume, "/LiveOS", "stays")
    with pytest.raises(RefusedError, match="not a directory"):
        exchange(volume, "/LiveOS", [("stays", "tree")])
    with pytest.raises(RefusedError, match="exists"):
        rename(volume, "/LiveOS", [("tree", "ovlwork")])
    with pytest.raises(FileNotFoundError):
        rename(volume, "/LiveOS", [("nothing", "new")])
    assert volume.path.read_bytes() == before


def test_a_large_directory_with_a_line_feed_in_its_name(tmp_path: Path) -> None:
    top = tmp_path / "source" / "top" / "tree" / "line\nfeed"
    top.mkdir(parents=True)
    for number in range(600):
        (top / str(number)).touch()
    volume = make(tmp_path / "stick.img", (*MODERN, "-d", str(tmp_path / "source")))
    with pytest.raises(UnsupportedError, match="line feed"):
        remove_tree(volume, "/top", "tree")
    check(volume)


OPERATIONS: dict[str, Callable[[Ext4Volume], None]] = {
    "make": lambda volume: make_directory(volume, "/LiveOS", "new", LABEL),
    "exchange": lambda volume: exchange(volume, "/LiveOS", [("a", "b"), ("c", "d")]),
    "rename": lambda volume: rename(volume, "/LiveOS", [("a", "x"), ("c", "y")]),
    "remove": lambda volume: remove_tree(volume, "/LiveOS", "a"),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_cut_leaves_the_old_state_or_the_new_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    volume = make(tmp_path / "stick.img", mebibytes=12)
    debugfs(volume, *(f"mkdir /LiveOS/{one}" for one in ("a", "b", "c", "d", "a/inner", "c/inner")))
    before = paths(volume)
    with recorded(volume.path, monkeypatch) as recording:
        OPERATIONS[name](volume)
    after = paths(volume)
    assert after != before
    seen = set()
    torn = sampling.of(recording.torn(random.Random(1)), 4)
    states = chain(sampling.of(recording.prefixes(), 8), torn)
    for found in _recovered(volume, states):
        assert found in (before, after)
        seen.add(found == after)
    assert seen == {True, False}


def _recovered(volume: Ext4Volume, states: Iterator[bytes]) -> Iterator[list[str]]:
    for state in states:
        leave(state, volume.path)
        command = ["e2fsck", "-E", "journal_only", "-y", str(volume)]
        subprocess.run(command, check=False, capture_output=True)
        check(volume)
        yield paths(volume)
