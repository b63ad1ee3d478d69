# SPDX-License-Identifier: Apache-2.0
"""A directory of the host, seen as a tree of files like that of any other filesystem.

Links are followed inside the tree only, as in an image: the host's own files stay out of reach.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from liveos.formats.binary import ByteSource, Extent, FormatError, MemorySource, TruncatedError
from liveos.formats.tree import FileKind, FileTree, Node, kind_of


class DirectoryTree(FileTree):
    """The files below ``path``. There is no container: each file is its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.source = MemorySource(b"")

    @property
    def root(self) -> Node:
        return self.load("/", self.path)

    def scan(self, directory: Node) -> Iterator[tuple[str, Path]]:
        path: Path = directory.handle
        try:
            found = sorted(path.iterdir())
        except OSError as error:
            raise FormatError(f"{path}: {error.strerror}") from error
        return ((child.name, child) for child in found)

    def load(self, path: str, reference: Path) -> Node:
        try:
            facts = reference.stat() if path == "/" else reference.lstat()
        except OSError as error:
            raise FormatError(f"{reference}: {error.strerror}") from error
        kind = kind_of(facts.st_mode)
        return Node(path, kind, facts.st_size, facts.st_ino, facts.st_mode, reference)

    def extents(self, node: Node) -> tuple[Extent, ...]:
        return (Extent(0, node.size),) if node.size else ()

    def open(self, node: Node) -> ByteSource:
        if node.kind is FileKind.SYMLINK:
            return MemorySource(os.fsencode(node.handle.readlink()))
        return _HostFile(node.handle, node.size)


class _HostFile:
    """A file of the host that is open only while it is read: a tree may have many."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    @property
    def size(self) -> int:
        return self._size

    def read_at(self, offset: int, length: int) -> bytes:
        try:
            # A link or a pipe that has taken the file's place since is not opened.
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                data = os.pread(descriptor, length, offset)
            finally:
                os.close(descriptor)
        except (OSError, OverflowError, ValueError) as error:
            raise FormatError(f"{self._path}: {error}") from error
        if len(data) != length:
            raise TruncatedError(f"{self._path}: bytes {offset}..{offset + length} are missing")
        return data
