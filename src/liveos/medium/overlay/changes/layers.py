# SPDX-License-Identifier: Apache-2.0
"""A root with the upper directory of an OverlayFS over it, as one tree of files."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from liveos.formats.binary import ByteSource, Extent
from liveos.formats.tree import Attributes, FileKind, FileTree, Node
from liveos.medium.overlay.changes.marks import (
    NO_MARKS,
    Marks,
    is_attribute_whiteout,
    marks_of,
    namespace_of,
    own_xattrs,
)


@dataclass(frozen=True, slots=True)
class Layered:
    """What a node is made of.

    ``upper`` is its node in the upper directory with the ``marks`` there; None when it shows
    through from below. ``lower`` is the node below: of a merged directory, of a file whose
    content (metacopy) or everything is the lower one's; None when nothing below shows.
    """

    upper: Node | None
    lower: Node | None
    marks: Marks = NO_MARKS


class OverlayTree(FileTree):
    """What the kernel shows when ``upper`` of ``upper_tree`` is mounted over ``lower_tree``.

    Numbers of nodes are even for those that show through, odd for those of the upper directory.
    The content of files is found by `open`; it lies in two sources, so `extents` has none.
    """

    def __init__(self, lower_tree: FileTree, upper_tree: FileTree, upper: Node) -> None:
        self.lower_tree = lower_tree
        self.upper_tree = upper_tree
        self.source = lower_tree.source
        self._namespace = namespace_of(upper_tree, upper)
        marks = marks_of(upper_tree.attributes(upper), self._namespace)
        self._root = Layered(upper, lower_tree.root, marks)

    @property
    def root(self) -> Node:
        return self.load("/", self._root)

    def scan(self, directory: Node) -> Iterator[tuple[str, Layered]]:
        parts: Layered = directory.handle
        below: dict[str, Any] = {}
        if parts.lower is not None:
            below = dict(self.lower_tree.scan(parts.lower))
        hidden: set[str] = set()
        if parts.upper is not None:
            for name, reference in self.upper_tree.scan(parts.upper):
                hidden.add(name)
                node = self.upper_tree.load(posixpath.join(parts.upper.path, name), reference)
                found = self._in_upper(parts, name, node, below)
                if found is not None:
                    yield name, found
        for name in below.keys() - hidden:
            yield name, Layered(None, self._lower_child(parts, name, below))

    def load(self, path: str, reference: Layered) -> Node:
        node = reference.upper or reference.lower
        assert node is not None
        number = 2 * node.number + (reference.upper is not None)
        data = self._data(reference)[1]
        return Node(path, node.kind, data.size, number, node.mode, reference)

    def extents(self, node: Node) -> tuple[Extent, ...] | None:  # noqa: ARG002 - as FileTree has it
        return None

    def open(self, node: Node) -> ByteSource:
        tree, data = self.content(node)
        return tree.open(data)

    def content(self, node: Node) -> tuple[FileTree, Node]:
        """The tree that has a node's content, and the node there."""
        return self._data(node.handle)

    def attributes(self, node: Node) -> Attributes:
        layered: Layered = node.handle
        if layered.upper is None:
            assert layered.lower is not None
            return self.lower_tree.attributes(layered.lower)
        found = self.upper_tree.attributes(layered.upper)
        shown = own_xattrs(found.xattrs, self._namespace)
        return Attributes(
            found.mode, found.uid, found.gid, found.mtime_ns, found.links, found.device, shown
        )

    def _data(self, layered: Layered) -> tuple[FileTree, Node]:
        """Where a node's content is."""
        if layered.upper is None or (layered.marks.metacopy and layered.lower is not None):
            assert layered.lower is not None
            return self.lower_tree, layered.lower
        return self.upper_tree, layered.upper

    def _in_upper(
        self, directory: Layered, name: str, node: Node, below: dict[str, Any]
    ) -> Layered | None:
        """A node of the upper directory with what belongs to it below; None for a whiteout."""
        attributes = self.upper_tree.attributes(node)
        marks = marks_of(attributes, self._namespace)
        by_attribute = directory.marks.has_whiteouts and is_attribute_whiteout(
            node, attributes, self._namespace
        )
        if marks.is_whiteout or by_attribute:
            return None
        if marks.opaque or not (node.kind is FileKind.DIRECTORY or marks.metacopy):
            return Layered(node, None, marks)
        where = marks.redirect or name
        if where.startswith("/"):
            lower = self.lower_tree.lookup(where)
        else:
            lower = self._lower_child(directory, where, below)
        return Layered(node, lower if lower and lower.kind is node.kind else None, marks)

    def _lower_child(self, directory: Layered, name: str, below: dict[str, Any]) -> Node | None:
        """A child of a directory's lower node, among those ``below``."""
        if directory.lower is None or name not in below:
            return None
        return self.lower_tree.load(posixpath.join(directory.lower.path, name), below[name])


def layered(node: Node) -> Layered:
    """What a node of an `OverlayTree` is made of."""
    handle: Any = node.handle
    assert isinstance(handle, Layered)
    return handle
