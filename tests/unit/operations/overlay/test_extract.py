# SPDX-License-Identifier: Apache-2.0
"""Saved files are those of the overlay, and whatever it holds, nothing outside is touched."""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveos.errors import RefusedError
from liveos.formats.binary import ByteSource, Extent, FormatError, MemorySource
from liveos.formats.ext4.reader import Ext4
from liveos.formats.tree import Attributes, FileTree, Node, kind_of
from liveos.medium.overlay.changes.model import Changes
from liveos.operations.overlay.extract import Extraction, extract
from tests.unit.medium.overlay.changes.test_states import expected, members, shown

IS_ROOT = os.geteuid() == 0
FOREIGN = 12345  # an owner that nobody here is


class Made(FileTree):
    """A tree of made-up nodes: (name, mode, content or link's target, children), by hand.

    It may have what no filesystem has: the same name twice, any target, any name.
    """

    def __init__(self, *entries: "Entry", uid: int | None = None) -> None:
        self.source = MemorySource(b"")
        self._root = Entry("", stat.S_IFDIR | 0o755, children=entries)
        self._uid = os.geteuid() if uid is None else uid

    @property
    def root(self) -> Node:
        return self.load("/", self._root)

    def scan(self, directory: Node) -> Iterator[tuple[str, "Entry"]]:
        return ((each.name, each) for each in directory.handle.children)

    def load(self, path: str, reference: "Entry") -> Node:
        size = len(reference.content)
        return Node(path, kind_of(reference.mode), size, id(reference), reference.mode, reference)

    def extents(self, node: Node) -> tuple[Extent, ...] | None:
        return None

    def open(self, node: Node) -> ByteSource:
        if node.handle.content == b"damaged":
            raise FormatError("a damaged block")
        return MemorySource(node.handle.content)

    def attributes(self, node: Node) -> Attributes:
        return Attributes(node.mode, self._uid, os.getegid(), 10**18, 1, (1, 3))


class Entry:
    def __init__(
        self, name: str, mode: int, content: bytes = b"", children: tuple["Entry", ...] = ()
    ) -> None:
        self.name, self.mode, self.content, self.children = name, mode, content, children


def file(name: str, content: bytes = b"x", mode: int = 0o644) -> Entry:
    return Entry(name, stat.S_IFREG | mode, content)


def folder(name: str, *children: Entry) -> Entry:
    return Entry(name, stat.S_IFDIR | 0o755, children=children)


def link(name: str, target: str) -> Entry:
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def extracted(tree: FileTree, *added: str, to: Path) -> Extraction:
    return extract(tree, Changes(added=added), to)


@pytest.mark.parametrize("name", ["ext4-4k", "ext2-1k"])
def test_files_are_saved_as_the_kernel_showed_them(name: str, tmp_path: Path) -> None:
    tree = Ext4(MemorySource(members()[f"{name}.after"]))
    changes = expected(name)
    result = extract(tree, changes, tmp_path / "out")
    told = shown(name)["after"]
    # What could not be set is told of one name of a file with two.
    unset = {(each.path.replace("/twin", "/file"), each.what) for each in result.unset}
    paths = {*changes.added, *changes.modified, *changes.metadata}
    missing = {each.path for each in result.unsaved}
    assert missing == (set() if IS_ROOT else {"/etc/device"})
    for path in paths - missing - {"/"}:
        status = (tmp_path / "out/files" / path[1:]).lstat()
        facts = told[path]
        assert stat.S_IFMT(status.st_mode) == stat.S_IFMT(facts["mode"])
        for what, is_so in {
            "mode": status.st_mode == facts["mode"],
            "owner": [status.st_uid, status.st_gid] == facts["owner"],
            "mtime_ns": facts["mtime_ns"] in {None, status.st_mtime_ns},
        }.items():
            was_told = (path.replace("/twin", "/file"), what) in unset
            assert is_so or (was_told and not IS_ROOT), (path, what)
        if stat.S_ISREG(status.st_mode):
            content = (tmp_path / "out/files" / path[1:]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == facts["content"]
    assert os.getxattr(tmp_path / "out/files/etc/xattr", "user.new") == b"2"
    twins = [(tmp_path / "out/files/home/new" / each).stat().st_ino for each in ("file", "twin")]
    assert twins[0] == twins[1]
    in_other_places = {path for pair in changes.renamed for path in pair} - paths
    assert not [path for path in in_other_places if path.startswith("/srv")
                and (tmp_path / "out/files" / path[1:]).exists()]  # fmt: skip


def test_the_manifest_has_everything(tmp_path: Path) -> None:
    tree = Ext4(MemorySource(members()["ext4-4k.after"]))
    changes = expected("ext4-4k")
    result = extract(tree, changes, tmp_path / "out")
    manifest = json.loads((tmp_path / "out/extract.json").read_text())
    assert manifest["removed"] == list(changes.removed)
    assert manifest["renamed"] == [list(pair) for pair in changes.renamed]
    assert len(manifest["not_set"]) == len(result.unset)
    assert manifest["saved"] == result.saved


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(RefusedError, match="already"):
        extracted(Made(file("f")), "/f", to=tmp_path / "out")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedError):
        extracted(Made(file("f")), "/f", to=tmp_path / "link")
    assert list((tmp_path / "out").iterdir()) == []
    assert not (tmp_path / "elsewhere").exists()


def test_a_link_is_not_followed_by_what_comes_after_it(tmp_path: Path) -> None:
    """One directory with two entries of a name, the first one a link: it is the one that counts."""
    outside = tmp_path / "outside"
    outside.mkdir()
    tree = Made(link("d", str(outside)), folder("d", file("evil")))
    result = extracted(tree, "/d", "/d/evil", to=tmp_path / "out")
    assert list(outside.iterdir()) == []
    assert (tmp_path / "out/files/d").is_symlink()
    assert result.saved == 1
    tree = Made(folder("d", file("fine")), link("d", str(outside)))
    extracted(tree, "/d", "/d/fine", to=tmp_path / "out 2")
    assert list(outside.iterdir()) == []
    assert (tmp_path / "out 2/files/d/fine").read_bytes() == b"x"


def test_a_link_exchanged_for_a_directory_meanwhile(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()

    class Exchanging(Made):
        def scan(self, directory: Node) -> Iterator[tuple[str, Entry]]:
            if directory.path == "/d":
                (tmp_path / "out/files/d").rmdir()
                (tmp_path / "out/files/d").symlink_to(outside)
            return super().scan(directory)

    result = extracted(Exchanging(folder("d", file("evil"))), "/d", "/d/evil", to=tmp_path / "out")
    assert list(outside.iterdir()) == []
    assert "/d/evil" in {each.path for each in result.unsaved}


def test_a_damaged_file_does_not_stop_the_others(tmp_path: Path) -> None:
    tree = Made(file("bad", b"damaged"), file("good", b"good"))
    result = extracted(tree, "/bad", "/good", to=tmp_path / "out")
    assert [each.path for each in result.unsaved] == ["/bad"]
    assert "damaged block" in result.unsaved[0].reason
    assert (tmp_path / "out/files/good").read_bytes() == b"good"


@pytest.mark.skipif(IS_ROOT, reason="root gives the file its owner, and with it its rights")
def test_a_file_that_is_somebody_elses_does_not_act_for_its_owner(tmp_path: Path) -> None:
    tree = Made(file("sudo", mode=0o6755), uid=FOREIGN)
    result = extracted(tree, "/sudo", to=tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out/files/sudo").stat().st_mode) == 0o755
    assert {each.what for each in result.unset} == {"owner", "mode"}


def test_odd_names_and_holes(tmp_path: Path) -> None:
    name = b"cat\xe9 \n\x1b[31m".decode("utf-8", "surrogateescape")
    content = b"a" + bytes(3 << 20) + b"z"
    tree = Made(file(name, content), Entry("pipe", stat.S_IFIFO | 0o600))
    result = extracted(tree, f"/{name}", "/pipe", to=tmp_path / "out")
    assert result.unsaved == []
    saved = tmp_path / "out/files" / name
    assert saved.read_bytes() == content
    assert saved.stat().st_blocks * 512 < len(content)
    assert stat.S_ISFIFO((tmp_path / "out/files/pipe").lstat().st_mode)
    manifest = json.loads((tmp_path / "out/extract.json").read_text())
    assert manifest["added"] == [f"/{name}", "/pipe"]
