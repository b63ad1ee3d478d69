# SPDX-License-Identifier: Apache-2.0
"""What lies in the upper directory of an OverlayFS, counted."""

import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind, FileTree, Node
from liveos.medium.overlay.changes.marks import (
    NO_MARKS,
    TRUSTED,
    Marks,
    is_attribute_whiteout,
    marks_of,
    namespace_of,
)

UPPER_IN_IMAGE = "/overlayfs"
"""Where the initramfs looks for the upper directory in an image file (boot-contract.md 1.3)."""

_MOST_NODES = 1 << 22


@dataclass(frozen=True, slots=True)
class Contents:
    """What an upper directory holds. ``size`` are the bytes of its files, each file once.

    ``whiteouts`` stand for names of the lower tree that were removed; ``opaque`` are directories
    through which nothing of the lower tree shows.
    """

    files: int = 0
    directories: int = 0
    whiteouts: int = 0
    size: int = 0
    opaque: int = 0


def contents(tree: FileTree, directory: Node) -> Contents:
    """Count everything below ``directory``.

    :raises FormatError: the tree contains itself, or has no end.
    """
    files = directories = whiteouts = size = opaque = 0
    seen: set[int] = set()
    for node, marks, is_whiteout in _below(tree, directory):
        if node.kind is FileKind.DIRECTORY:
            directories += 1
            opaque += marks.opaque
        elif is_whiteout:
            whiteouts += 1
        else:
            files += 1
            if node.number not in seen:
                seen.add(node.number)
                size += node.size
    return Contents(files, directories, whiteouts, size, opaque)


def _below(tree: FileTree, start: Node) -> Iterator[tuple[Node, Marks, bool]]:
    """Every node with its marks, which only directories have here, and whether it is a whiteout."""
    namespace = _namespace(tree, start)
    top = _marks(tree, start, namespace)
    waiting, seen, left = [(start, top)], {start.number}, _MOST_NODES
    while waiting:
        directory, around = waiting.pop()
        for name, reference in tree.scan(directory):
            left -= 1
            if left < 0:
                raise FormatError(f"{start.path}: more than {_MOST_NODES} files and directories")
            node = tree.load(posixpath.join(directory.path, name), reference)
            marks = NO_MARKS
            if node.kind is FileKind.DIRECTORY:
                if node.number in seen:
                    raise FormatError(f"{node.path}: this directory has two places")
                seen.add(node.number)
                marks = _marks(tree, node, namespace)
                waiting.append((node, marks))
            yield node, marks, _is_whiteout(tree, node, around, namespace)


def _is_whiteout(tree: FileTree, node: Node, around: Marks, namespace: str) -> bool:
    """A character device 0/0, or what its directory says is one (the kernel's overlayfs.rst)."""
    if stat.S_ISCHR(node.mode):
        return tree.attributes(node).device == (0, 0)
    if not around.has_whiteouts or node.size:
        return False
    return is_attribute_whiteout(node, tree.attributes(node), namespace)


def _namespace(tree: FileTree, start: Node) -> str:
    try:
        return namespace_of(tree, start)
    except FormatError:  # as on FAT, which has no attributes
        return TRUSTED


def _marks(tree: FileTree, directory: Node, namespace: str) -> Marks:
    try:
        return marks_of(tree.attributes(directory), namespace)
    except FormatError:
        return NO_MARKS
