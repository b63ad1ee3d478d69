# SPDX-License-Identifier: Apache-2.0
"""What lies in the upper directory of an OverlayFS, counted."""

import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind, FileTree, Node

UPPER_IN_IMAGE = "/overlayfs"
"""Where the initramfs looks for the upper directory in an image file (boot-contract.md 1.3)."""

_MOST_NODES = 1 << 22


@dataclass(frozen=True, slots=True)
class Contents:
    """What an upper directory holds. ``size`` are the bytes of its files, each file once."""

    files: int = 0
    directories: int = 0
    whiteouts: int = 0
    size: int = 0


def contents(tree: FileTree, directory: Node) -> Contents:
    """Count everything below ``directory``.

    A whiteout is a character device 0/0 (the kernel's overlayfs.rst), which stands for a name of
    the lower tree that was removed.

    :raises FormatError: the tree contains itself, or has no end.
    """
    files = directories = whiteouts = size = 0
    seen: set[int] = set()
    for node in _below(tree, directory):
        if node.kind is FileKind.DIRECTORY:
            directories += 1
        elif _is_whiteout(tree, node):
            whiteouts += 1
        else:
            files += 1
            if node.number not in seen:
                seen.add(node.number)
                size += node.size
    return Contents(files, directories, whiteouts, size)


def _is_whiteout(tree: FileTree, node: Node) -> bool:
    return stat.S_ISCHR(node.mode) and tree.attributes(node).device == (0, 0)


def _below(tree: FileTree, start: Node) -> Iterator[Node]:
    waiting, seen, left = [start], {start.number}, _MOST_NODES
    while waiting:
        directory = waiting.pop()
        for name, reference in tree.scan(directory):
            left -= 1
            if left < 0:
                raise FormatError(f"{start.path}: more than {_MOST_NODES} files and directories")
            node = tree.load(posixpath.join(directory.path, name), reference)
            if node.kind is FileKind.DIRECTORY:
                if node.number in seen:
                    raise FormatError(f"{node.path}: this directory has two places")
                seen.add(node.number)
                waiting.append(node)
            yield node
