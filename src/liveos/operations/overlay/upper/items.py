# SPDX-License-Identifier: Apache-2.0
"""Nodes of trees as what is to be written: with owners, attributes, holes and links."""

import posixpath
import stat
from collections.abc import Iterator
from dataclasses import replace

from liveos.errors import UnsupportedError
from liveos.formats.tree import Attributes, FileKind, FileTree, Node
from liveos.host.folders.tree_items import Ranges, TreeItem
from liveos.medium.overlay.changes.layers import OverlayTree
from liveos.medium.overlay.changes.marks import TRUSTED, marks_of
from liveos.medium.overlay.changes.snapshot_upper import SnapshotUpper

_OPAQUE = {f"{TRUSTED}opaque": b"y"}
_WHITEOUT = Attributes(mode=stat.S_IFCHR, uid=0, gid=0, mtime_ns=0, links=1, device=(0, 0))


def item_of(tree: FileTree, node: Node, path: str, *, changes: bool = False) -> TreeItem:
    """A node of a tree, to be written at ``path``."""
    is_file = node.kind is FileKind.FILE
    return TreeItem(
        path,
        tree.attributes(node),
        node.number,
        content=tree.open(node) if is_file else None,
        ranges=_ranges(tree, node) if is_file else (),
        target=tree.readlink(node) if node.kind is FileKind.SYMLINK else "",
        changes=changes,
    )


def upper_items(upper: SnapshotUpper, top: str) -> list[TreeItem]:
    """The upper directory ``top`` that shows what a snapshot shows.

    :raises UnsupportedError: a file would be taken for a mark of OverlayFS.
    """
    return list(_upper_items(upper, top))


def _upper_items(upper: SnapshotUpper, top: str) -> Iterator[TreeItem]:
    for number, entry in enumerate(upper.entries):
        path = top + entry.path.rstrip("/")
        if entry.node is None:
            yield TreeItem(path, _WHITEOUT, -1 - number)
            continue
        item = item_of(upper.tree, upper.tree.load(entry.path, entry.node), path)
        _require_no_mark(item.attributes, entry.path)
        if entry.opaque:
            found = item.attributes
            item = replace(item, attributes=replace(found, xattrs={**found.xattrs, **_OPAQUE}))
        yield item


def copied_items(tree: FileTree, directory: Node, top: str) -> list[TreeItem]:
    """A directory with everything in it, as it is, to be written at ``top``."""
    items = [item_of(tree, directory, top)]
    waiting = [(directory, top)]
    while waiting:
        parent, place = waiting.pop()
        for name, reference in tree.scan(parent):
            node = tree.load(posixpath.join(parent.path, name), reference)
            path = posixpath.join(place, name)
            items.append(item_of(tree, node, path))
            if node.kind is FileKind.DIRECTORY:
                waiting.append((node, path))
    return items


def _ranges(tree: FileTree, node: Node) -> Ranges:
    """What of a file is no hole; neighbours are one, whatever lies between them on the disk."""
    if isinstance(tree, OverlayTree):
        tree, node = tree.content(node)
    extents = tree.extents(node)
    if extents is None:
        return ((0, node.size),) if node.size else ()
    found: list[tuple[int, int]] = []
    position = 0
    for extent in extents:
        start, position = position, min(node.size, position + extent.length)
        if extent.offset is None or start == position:
            continue
        if found and found[-1][1] == start:
            start = found.pop()[0]
        found.append((start, position))
    return tuple(found)


def _require_no_mark(attributes: Attributes, path: str) -> None:
    has_marks = any(name.startswith(TRUSTED) for name in attributes.xattrs)
    if has_marks or marks_of(attributes, TRUSTED).is_whiteout:
        raise UnsupportedError(
            f"{path} is a mark of an OverlayFS itself, which cannot be kept in another one",
            hint="remove it in the running system: containers keep such files in /var/lib",
        )
