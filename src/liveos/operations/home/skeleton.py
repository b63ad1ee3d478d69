# SPDX-License-Identifier: Apache-2.0
"""What the live user shall find in a new home, copied from an image to a directory of the host."""

import os
from pathlib import Path

from liveos.errors import UnsupportedError
from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind, FileTree, Node
from liveos.host.folders.folder import checked_name

_SKELETON = "/etc/skel"
_MOST_FILES = 10_000
_MOST_BYTES = 64 << 20
_DEEPEST = 40
_LONGEST_TARGET = 4096  # PATH_MAX


def copy_skeleton(tree: FileTree, user: str, directory: Path) -> None:
    """Files, directories and links of the user's home in the image, or else of its /etc/skel.

    They come below ``directory``, which is empty.

    :raises UnsupportedError: it is damaged, or so large that it cannot be one.
    """
    for path in (f"/home/{user}", _SKELETON):
        try:
            top = tree.resolve(path)
            if top is not None and top.kind is FileKind.DIRECTORY:
                _Copy(tree).directory(top, directory)
                return
        except (FormatError, FileExistsError) as error:
            raise UnsupportedError(f"{path} of the image cannot be read: {error}") from error


class _Copy:
    """One copy, which counts what it has made: images are hostile."""

    def __init__(self, tree: FileTree) -> None:
        self._tree = tree
        self._files = 0
        self._bytes = 0

    def directory(self, node: Node, to: Path) -> None:
        """Everything below a directory of the image, to one that is there."""
        waiting = [(node, to)]
        while waiting:
            parent, place = waiting.pop()
            for name, reference in self._tree.scan(parent):
                child = self._tree.load(f"{parent.path}/{name}", reference)
                self._count(child)
                self._one(child, place / checked_name(name))
                if child.kind is FileKind.DIRECTORY:
                    waiting.append((child, place / name))

    def _one(self, node: Node, place: Path) -> None:
        """Devices and the like are left out."""
        mode = node.mode & 0o777
        if node.kind is FileKind.SYMLINK:
            place.symlink_to(self._target(node))
        elif node.kind is FileKind.DIRECTORY:
            place.mkdir()
            # mke2fs, too, must be able to read it.
            place.chmod(mode | 0o700)
        elif node.kind is FileKind.FILE:
            with place.open("xb") as file:
                file.write(self._tree.open(node).read_at(0, node.size))
            place.chmod(mode | 0o400)

    def _target(self, node: Node) -> str:
        target = self._tree.readlink(node)
        if not 0 < len(os.fsencode(target)) < _LONGEST_TARGET or "\0" in target:
            raise FormatError(f"{node.path} is a link to nowhere")
        return target

    def _count(self, node: Node) -> None:
        self._files += 1
        self._bytes += node.size if node.kind is FileKind.FILE else 0
        if self._files > _MOST_FILES or self._bytes > _MOST_BYTES:
            raise FormatError(f"it has more than {_MOST_FILES} files, or {_MOST_BYTES} bytes")
        if node.path.count("/") > _DEEPEST:
            raise FormatError(f"its directories are more than {_DEEPEST} deep")
