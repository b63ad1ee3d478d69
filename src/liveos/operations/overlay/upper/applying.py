# SPDX-License-Identifier: Apache-2.0
"""What is to be changed in a root so that it is what an OverlayFS over it shows.

Pure. A file that was changed keeps its inode and the blocks that are as before, so that of a
large file with a small change only the change is stored.
"""

import posixpath
from dataclasses import dataclass, field
from typing import Any

from liveos.formats.tree import FileKind, FileTree, Node
from liveos.host.folders.tree_items import TreeItem
from liveos.medium.overlay.changes.layers import OverlayTree, layered
from liveos.operations.overlay.upper.items import item_of


@dataclass(frozen=True)
class RootChanges:
    """``removed`` are paths that go first, with what is below; then ``items`` are written."""

    removed: list[str] = field(default_factory=list)
    items: list[TreeItem] = field(default_factory=list)


def changes_of_root(tree: OverlayTree) -> RootChanges:
    """Compare what is shown with the root below it, as far as the upper directory goes."""
    return _Application(tree).changes()


class _Application:
    """The changes while they are found."""

    def __init__(self, tree: OverlayTree) -> None:
        self._tree = tree
        self._lower = tree.lower_tree
        self._found = RootChanges()

    def changes(self) -> RootChanges:
        root = self._tree.root
        self._write(root, changes=True)
        waiting = [(root, self._lower.root)]
        while waiting:
            waiting += self._merge(*waiting.pop())
        return self._found

    def _merge(self, shown: Node, lower: Node) -> list[tuple[Node, Node]]:
        """A directory of both; those in it that are of both come back."""
        below = _children(self._lower, lower)
        now = _children(self._tree, shown)
        gone = (name for name in below if name not in now)
        self._found.removed.extend(posixpath.join(shown.path, name) for name in gone)
        deeper = []
        for name, node in now.items():
            if layered(node).upper is None:
                continue
            then = below.get(name)
            if then is not None and _is_merged(node, then):
                self._write(node, changes=True)
                deeper.append((node, then))
            elif then is not None and self._can_change(node, then):
                self._write(node, changes=True)
            else:
                if then is not None:
                    self._found.removed.append(node.path)
                self._write_whole(node)
        return deeper

    def _can_change(self, node: Node, then: Node) -> bool:
        """Whether both are files with one name, of which one can become the other."""
        if node.kind is not FileKind.FILE or then.kind is not FileKind.FILE:
            return False
        links = self._tree.attributes(node).links, self._lower.attributes(then).links
        return links == (1, 1)

    def _write_whole(self, top: Node) -> None:
        waiting = [top]
        while waiting:
            node = waiting.pop()
            self._write(node, changes=False)
            if node.kind is FileKind.DIRECTORY:
                waiting.extend(_children(self._tree, node).values())

    def _write(self, node: Node, *, changes: bool) -> None:
        self._found.items.append(item_of(self._tree, node, node.path, changes=changes))


def _children(tree: FileTree, directory: Node) -> dict[str, Node]:
    """What a directory holds; of a name that is there twice, the first one counts."""
    found: dict[str, Any] = {}
    for name, reference in tree.scan(directory):
        found.setdefault(name, reference)
    return {
        name: tree.load(posixpath.join(directory.path, name), reference)
        for name, reference in found.items()
    }


def _is_merged(node: Node, then: Node) -> bool:
    """Whether a directory shows the lower one of its own place."""
    lower = layered(node).lower
    is_directory = node.kind is FileKind.DIRECTORY
    return is_directory and lower is not None and lower.number == then.number
