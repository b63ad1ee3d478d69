# SPDX-License-Identifier: Apache-2.0
"""Trees of files inside a byte source: what the readers of all filesystems have in common.

A reader says what its root is, what a directory lists, and where a file's bytes lie; looking up
paths, following links and walking are the same for all of them and live here. Nothing outside
the tree can be reached: absolute links start at the tree's root, and ``..`` stops there.
"""

import posixpath
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from liveos.formats.binary import ByteSource, Extent, ExtentSource, FormatError

_MOST_LINKS = 40  # as Linux: path_resolution(7)
_LONGEST_LINK = 4096  # PATH_MAX
_MOST_NODES = 1 << 22  # a desktop's root has some hundred thousand


class FileKind(StrEnum):
    """What a node is, as far as a LiveOS medium cares."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Node:
    """A file, directory or link of a tree.

    ``path`` is absolute, in the spelling found. ``number`` identifies the node in its tree (the
    inode number, or a position that serves as one). ``mode`` is ``st_mode``. ``handle`` belongs
    to the reader that made the node; nobody else looks inside.
    """

    path: str
    kind: FileKind
    size: int
    number: int
    mode: int
    handle: Any = None

    @property
    def name(self) -> str:
        """The last part of the path; empty for the root."""
        return posixpath.basename(self.path)


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a node has beside its name and its content, as stat(2) and getxattr(2) show it.

    ``mtime_ns`` counts nanoseconds since 1970. ``device`` is (major, minor) of a block or
    character device. ``xattrs`` are named with their namespace (``user.…``, ``security.…``);
    POSIX ACLs are in the form of getxattr(2), whatever the disk has. ``generation`` tells apart
    two files that had one inode number after the other; None where there is no such count.
    """

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    links: int
    device: tuple[int, int] | None = None
    xattrs: Mapping[str, bytes] = field(default_factory=dict)
    generation: int | None = None


class FileTree(ABC):
    """A filesystem in a byte source. Readers implement `root`, `scan`, `load` and `extents`."""

    source: ByteSource

    @property
    @abstractmethod
    def root(self) -> Node:
        """The root directory, with the path ``/``."""

    @abstractmethod
    def scan(self, directory: Node) -> Iterator[tuple[str, Any]]:
        """Names in a directory (without ``.`` and ``..``), each with what `load` needs."""

    @abstractmethod
    def load(self, path: str, reference: Any) -> Node:  # noqa: ANN401 - each reader has its own
        """The node that a directory entry refers to."""

    @abstractmethod
    def extents(self, node: Node) -> tuple[Extent, ...] | None:
        """Where a file's bytes lie in ``source``, in order; None when they are compressed."""

    def attributes(self, node: Node) -> Attributes:
        """Owner, times and extended attributes; `FormatError` where there are none to be read."""
        raise FormatError(f"{node.path}: this kind of filesystem keeps no owners")

    def allocated(self, node: Node) -> int | None:  # noqa: ARG002 - readers that know override it
        """Bytes that the filesystem has set apart for a file, fewer than its size if it has holes.

        Written to or not; with what its map of blocks takes. None where that is not told.
        """
        return None

    def open(self, node: Node) -> ByteSource:
        """Random access to a file's bytes (to a link's target, for a symlink)."""
        extents = self.extents(node)
        if extents is None:
            raise FormatError(f"{node.path}: compressed in a way that cannot be read")
        return ExtentSource(self.source, extents)

    def readlink(self, node: Node) -> str:
        """The target of a symlink, as written."""
        if node.kind is not FileKind.SYMLINK or node.size > _LONGEST_LINK:
            raise FormatError(f"{node.path}: not a symlink, or one of {node.size} bytes")
        target = self.open(node).read_at(0, node.size)
        return target.decode("utf-8", "surrogateescape")

    def listdir(self, path: str) -> list[str]:
        """The names in a directory, in the order found; `FormatError` when it is none."""
        node = self.lookup(path)
        if node is None or node.kind is not FileKind.DIRECTORY:
            raise FormatError(f"{path}: no such directory")
        return [name for name, _ in self.scan(node)]

    def lookup(self, path: str, *, ignore_case: bool = False) -> Node | None:
        """The node at a path, following no symlinks; None when there is none.

        With ``ignore_case``, a name that differs only in case is taken when none is equal.
        """
        return self._find(path, ignore_case=ignore_case, follow=False)

    def resolve(self, path: str, *, ignore_case: bool = False) -> Node | None:
        """Like `lookup`, following symlinks inside the tree; None also for dangling ones."""
        return self._find(path, ignore_case=ignore_case, follow=True)

    def walk(self) -> Iterator[Node]:
        """Every node below the root, parents before children.

        `FormatError` when a directory is reached twice, or when there is no end of nodes: hostile
        trees contain themselves, or list the same names again and again.
        """
        root = self.root
        left = _MOST_NODES
        seen = {root.number}
        waiting = [root]
        while waiting:
            directory = waiting.pop()
            for name, reference in self.scan(directory):
                left -= 1
                if left < 0:
                    raise FormatError(f"more than {_MOST_NODES} files and directories")
                node = self.load(posixpath.join(directory.path, name), reference)
                if node.kind is FileKind.DIRECTORY:
                    if node.number in seen:
                        raise FormatError(f"{node.path}: this directory has two places")
                    seen.add(node.number)
                    waiting.append(node)
                yield node

    def _find(self, path: str, *, ignore_case: bool, follow: bool) -> Node | None:
        trail = [self.root]  # the nodes from the root to here, so that ``..`` needs no search
        waiting = _parts(path)
        links = 0
        while waiting:
            part = waiting.pop()
            if part == "..":
                trail = trail[:-1] or trail
                continue
            child = self._child(trail[-1], part, ignore_case=ignore_case)
            if child is None or links > _MOST_LINKS:
                return None
            if follow and child.kind is FileKind.SYMLINK:
                links += 1
                target = self.readlink(child)
                trail = trail[:1] if target.startswith("/") else trail
                waiting += _parts(target)
            else:
                trail.append(child)
        return trail[-1]

    def _child(self, directory: Node, name: str, *, ignore_case: bool) -> Node | None:
        if directory.kind is not FileKind.DIRECTORY:
            return None
        similar = None
        for found, reference in self.scan(directory):
            if found == name:
                return self.load(posixpath.join(directory.path, found), reference)
            if ignore_case and similar is None and found.casefold() == name.casefold():
                similar = found, reference
        if similar is None:
            return None
        return self.load(posixpath.join(directory.path, similar[0]), similar[1])


def kind_of(mode: int) -> FileKind:
    """The kind that the type bits of ``st_mode`` name."""
    if stat.S_ISREG(mode):
        return FileKind.FILE
    if stat.S_ISDIR(mode):
        return FileKind.DIRECTORY
    return FileKind.SYMLINK if stat.S_ISLNK(mode) else FileKind.OTHER


def device_of(mode: int, encoded: int) -> tuple[int, int] | None:
    """(major, minor) of a device node, from 32 bits in the way of Linux; None for other nodes.

    ``new_decode_dev`` of the kernel's ``kdev_t.h``: the minor lies on both sides of the major.
    """
    if not (stat.S_ISBLK(mode) or stat.S_ISCHR(mode)):
        return None
    return encoded >> 8 & 0xFFF, encoded & 0xFF | encoded >> 12 & 0xFFF00


def entry_name(raw: bytes) -> str:
    """A directory entry's name; `FormatError` for one that could lead somewhere else."""
    if not raw or raw in {b".", b".."} or b"/" in raw or b"\0" in raw:
        raise FormatError(f"a directory entry is called {raw!r}")
    return raw.decode("utf-8", "surrogateescape")


def _parts(path: str) -> list[str]:
    """The names in a path, last first, for use as a stack."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]
