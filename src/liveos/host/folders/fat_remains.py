# SPDX-License-Identifier: Apache-2.0
"""What a power cut has left half-made or half-removed on a FAT filesystem, before more is written.

A directory entry and the chain of clusters that it leads to lie in different sectors, and either
may be on the disk without the other. An entry that leads to free clusters does no harm, until
somebody else gets them: then two files share them, and who removes the first one loses the second.
"""

import posixpath
import re
from collections.abc import Iterator
from contextlib import suppress

from liveos.formats.binary import FormatError
from liveos.formats.fat.exchange import Store, erase, forget
from liveos.formats.fat.reader import Fat
from liveos.formats.tree import FileKind, Node

DEEPEST = 32
"""Directories in each other that are looked into: a damaged one may hold itself."""

# Boot files of images, and the names that contents have before they take another one's place.
_OURS = re.compile(r"^/liveos/.|\.(?:new|resized|part)$", re.IGNORECASE)


def clear_remains(store: Store) -> None:
    """Empty files and take away directories whose clusters are free, or whose chains end in such.

    Of files that are not ours, only those of which nothing is left: the chain of another one may be
    what its owner wants to save. Where directories cannot be read, nothing is done.
    """
    fs = Fat(store)
    with suppress(FormatError):
        for node in [each for each in _nodes(fs, fs.root, DEEPEST) if _is_remains(fs, each)]:
            if node.kind is FileKind.DIRECTORY:
                erase(store, node.handle)
            else:
                forget(store, node.handle)


def _nodes(fs: Fat, directory: Node, depth: int) -> Iterator[Node]:
    for name, reference in fs.scan(directory):
        node = fs.load(posixpath.join(directory.path, name), reference)
        yield node
        if depth and node.kind is FileKind.DIRECTORY and fs.is_whole(node):
            yield from _nodes(fs, node, depth - 1)


def _is_remains(fs: Fat, node: Node) -> bool:
    return not fs.is_whole(node) and (fs.is_lost(node) or _OURS.search(node.path) is not None)
