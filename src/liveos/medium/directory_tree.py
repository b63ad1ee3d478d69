# SPDX-License-Identifier: Apache-2.0
"""A directory of the host, seen as a tree of files like that of any other filesystem.

Links are followed inside the tree only, as in an image: the host's own files stay out of reach.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from liveos.formats.binary import ByteSource, Extent, FormatError, MemorySource, TruncatedError
from liveos.formats.tree import Attributes, FileKind, FileTree, Node, kind_of

_BLOCK = 512  # of st_blocks, whatever the filesystem: inode(7)


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
            facts = reference.stat(follow_symlinks=path == "/")
        except OSError as error:
            raise FormatError(f"{reference}: {error.strerror}") from error
        kind = kind_of(facts.st_mode)
        return Node(path, kind, facts.st_size, facts.st_ino, facts.st_mode, reference)

    def extents(self, node: Node) -> tuple[Extent, ...]:
        return (Extent(0, node.size),) if node.size else ()

    def allocated(self, node: Node) -> int:
        path: Path = node.handle
        try:
            return path.stat(follow_symlinks=False).st_blocks * _BLOCK
        except OSError as error:
            raise FormatError(f"{path}: {error.strerror}") from error

    def attributes(self, node: Node) -> Attributes:
        path: Path = node.handle
        try:
            follow = node.path == "/"
            facts = path.stat(follow_symlinks=follow)
            xattrs = {
                name: os.getxattr(path, name, follow_symlinks=follow)
                for name in os.listxattr(path, follow_symlinks=follow)
            }
        except OSError as error:
            raise FormatError(f"{path}: {error.strerror}") from error
        is_device = stat.S_ISBLK(facts.st_mode) or stat.S_ISCHR(facts.st_mode)
        return Attributes(
            mode=facts.st_mode,
            uid=facts.st_uid,
            gid=facts.st_gid,
            mtime_ns=facts.st_mtime_ns,
            links=facts.st_nlink,
            device=(os.major(facts.st_rdev), os.minor(facts.st_rdev)) if is_device else None,
            xattrs=xattrs,
        )

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
