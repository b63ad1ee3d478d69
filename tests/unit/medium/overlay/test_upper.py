# SPDX-License-Identifier: Apache-2.0
"""What an upper directory holds: both kinds of whiteouts, and directories that hide others.

The marks are those of Documentation/filesystems/overlayfs.rst: a character device 0/0; or, from
Linux 6.7 on, an empty file with the attribute ``overlay.whiteout`` in a directory that says so,
by ``overlay.whiteouts`` in 6.7 and by ``overlay.opaque`` of ``x`` from 6.8 on.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liveos.formats.binary import ByteSource, Extent, FormatError, MemorySource
from liveos.formats.tree import Attributes, FileKind, FileTree, Node, kind_of
from liveos.medium.overlay.upper import Contents, contents
from liveos.medium.volume import open_directory

DIRECTORY, FILE, DEVICE = 0o40755, 0o100644, 0o20000
Nodes = dict[str, tuple[int, int, tuple[int, int] | None, dict[str, bytes]]]


class Listing(FileTree):
    """A tree in memory: (mode, size, device, attributes) by path."""

    source: ByteSource = MemorySource(b"")

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = {"/": (DIRECTORY, 0, None, {}), **nodes}

    @property
    def root(self) -> Node:
        return self.load("/", "/")

    def scan(self, directory: Node) -> Iterator[tuple[str, str]]:
        inside = directory.path.rstrip("/") + "/"
        for path in self._nodes:
            name = path.removeprefix(inside)
            if path.startswith(inside) and name and "/" not in name:
                yield name, path

    def load(self, path: str, reference: Any) -> Node:  # noqa: ANN401 - as FileTree has it
        mode, size, *_ = self._nodes[reference]
        number = list(self._nodes).index(reference) + 1
        return Node(path, kind_of(mode), size, number, mode, reference)

    def extents(self, node: Node) -> tuple[Extent, ...]:
        return ()

    def attributes(self, node: Node) -> Attributes:
        mode, _, device, xattrs = self._nodes[node.handle]
        return Attributes(mode, 0, 0, 0, 1, device, xattrs)


def counted(
    nodes: dict[str, tuple[int, int, tuple[int, int] | None, dict[str, bytes]]],
) -> Contents:
    tree = Listing({"/upper": (DIRECTORY, 0, None, {}), **nodes})
    upper = tree.lookup("/upper")
    assert upper is not None
    return contents(tree, upper)


@pytest.mark.parametrize("namespace", ["trusted.overlay.", "user.overlay."])
@pytest.mark.parametrize(("mark", "value"), [("opaque", b"x"), ("whiteouts", b"y")])
def test_whiteouts_by_attribute(namespace: str, mark: str, value: bytes) -> None:
    whiteout = {f"{namespace}whiteout": b"y"}
    found = counted({
        "/upper/etc": (DIRECTORY, 0, None, {f"{namespace}{mark}": value}),
        "/upper/etc/gone": (FILE, 0, None, whiteout),
        "/upper/etc/not-empty": (FILE, 7, None, whiteout),
        "/upper/etc/empty": (FILE, 0, None, {}),
        "/upper/etc/old": (DEVICE, 0, (0, 0), {}),
        "/upper/usr": (DIRECTORY, 0, None, {}),
        "/upper/usr/not-said": (FILE, 0, None, whiteout),
    })  # fmt: skip
    assert (found.whiteouts, found.files, found.size, found.opaque) == (2, 3, 7, 0)


def test_directories_that_hide_the_lower_ones() -> None:
    opaque = {"trusted.overlay.opaque": b"y"}
    found = counted({
        "/upper/a": (DIRECTORY, 0, None, opaque),
        "/upper/a/b": (DIRECTORY, 0, None, {"trusted.overlay.opaque": b"n"}),
        "/upper/c": (DIRECTORY, 0, None, {"user.overlay.opaque": b"y"}),
    })  # fmt: skip
    assert (found.directories, found.opaque) == (3, 1)


def test_devices_are_whiteouts_by_their_number() -> None:
    found = counted({
        "/upper/gone": (DEVICE, 0, (0, 0), {}),
        "/upper/null": (DEVICE, 0, (1, 3), {}),
        "/upper/pipe": (0o10644, 0, None, {}),
    })  # fmt: skip
    assert (found.whiteouts, found.files) == (1, 2)


def test_where_there_are_no_attributes_nothing_is_marked() -> None:
    class Bare(Listing):
        def attributes(self, node: Node) -> Attributes:
            raise FormatError("this kind of filesystem keeps no owners")

    tree = Bare({"/upper": (DIRECTORY, 0, None, {}), "/upper/a": (FILE, 3, None, {})})
    upper = tree.lookup("/upper")
    assert upper is not None
    assert upper.kind is FileKind.DIRECTORY
    assert contents(tree, upper) == Contents(files=1, size=3)


def test_attributes_of_a_directory_of_the_host(tmp_path: Path) -> None:
    (tmp_path / "gone").touch()
    try:
        os.setxattr(tmp_path, "user.overlay.opaque", b"x")
        os.setxattr(tmp_path / "gone", "user.overlay.whiteout", b"y")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")
    tree = open_directory(tmp_path).tree
    assert contents(tree, tree.root) == Contents(whiteouts=1)
