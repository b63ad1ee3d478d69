# SPDX-License-Identifier: Apache-2.0
"""What an upper directory must hold so that an OverlayFS over one tree shows another tree.

Pure: nodes are known by their numbers, and what is different is asked of the caller. The rules
are those of the kernel's ``Documentation/filesystems/overlayfs.rst``: a file hides the one below;
directories are merged, unless the upper one is opaque; a whiteout hides what is below its name.
A file of which one name must be in the upper directory is there with all its names, because
hard links do not reach from one layer to the other.
"""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from liveos.formats.binary import FormatError
from liveos.medium.overlay.changes.matching import Side

_MOST_NAMES = 1 << 22


class Sameness(Protocol):
    """What is known of the nodes of both trees."""

    def is_same(self, before: int, after: int) -> bool:
        """Whether two nodes with one name are one file or one directory."""

    def differs(self, number: int) -> bool:
        """Whether a node that both trees have looks different in the second one."""

    def may_differ_below(self, directory: int) -> bool:
        """Whether anything in a directory that both trees have, or deeper, can be different."""

    def all_paths(self, number: int) -> Iterable[str]:
        """Every path of a node in the second tree."""

    def at(self, path: str) -> int:
        """The node at a path of the second tree."""


@dataclass(frozen=True, slots=True)
class UpperEntry:
    """A name in an upper directory; ``path`` is the one in the root, ``/`` the directory itself.

    ``node`` is of the tree that is to be seen; None is a whiteout. Nothing of the lower
    directory shows through one that is ``opaque``.
    """

    path: str
    node: int | None
    opaque: bool = False


def upper_entries(
    before: Side, after: Side, sameness: Sameness, root: int
) -> tuple[UpperEntry, ...]:
    """The entries, directories before what is in them; ``root`` is a directory of both trees."""
    collector = _Collector(before, after, sameness)
    collector.compare(root)
    collector.complete_links()
    collector.complete_directories(root)
    return collector.entries()


class _Collector:
    """The entries that were found."""

    def __init__(self, before: Side, after: Side, sameness: Sameness) -> None:
        self._before = before
        self._after = after
        self._sameness = sameness
        self._found: dict[str, UpperEntry] = {}

    def entries(self) -> tuple[UpperEntry, ...]:
        return tuple(sorted(self._found.values(), key=lambda entry: entry.path.split("/")))

    def compare(self, root: int) -> None:
        waiting = [("/", root)]
        while waiting:
            path, directory = waiting.pop()
            then = self._before.entries(directory)
            now = self._after.entries(directory)
            for name in then.keys() - now.keys():
                self._add(UpperEntry(posixpath.join(path, name), None))
            for name, node in now.items():
                place = posixpath.join(path, name)
                if not self._is_known(then.get(name), node):
                    self._add_whole(place, node, then.get(name))
                elif self._compare_same(place, node):
                    waiting.append((place, node))

    def _is_known(self, then: int | None, now: int) -> bool:
        return then is not None and self._sameness.is_same(then, now)

    def _compare_same(self, path: str, node: int) -> bool:
        """A node of both trees; whether it is a directory to look into."""
        if self._sameness.differs(node):
            self._add(UpperEntry(path, node))
        return self._after.is_directory(node) and self._sameness.may_differ_below(node)

    def _add_whole(self, path: str, node: int, then: int | None) -> None:
        """A node that is new at its place, with what is below it."""
        hides = then is not None and self._before.is_directory(then)
        is_directory = self._after.is_directory(node)
        self._add(UpperEntry(path, node, opaque=hides and is_directory))
        waiting = [(path, node)] if is_directory else []
        while waiting:
            place, directory = waiting.pop()
            for name, child in self._after.entries(directory).items():
                below = posixpath.join(place, name)
                self._add(UpperEntry(below, child))
                if self._after.is_directory(child):
                    waiting.append((below, child))

    def complete_links(self) -> None:
        for entry in tuple(self._found.values()):
            if entry.node is not None and not self._after.is_directory(entry.node):
                for path in self._sameness.all_paths(entry.node):
                    if path not in self._found:
                        self._add(UpperEntry(path, entry.node))

    def complete_directories(self, root: int) -> None:
        for path in tuple(self._found):
            parent = posixpath.dirname(path)
            while parent != "/" and parent not in self._found:
                self._add(UpperEntry(parent, self._sameness.at(parent)))
                parent = posixpath.dirname(parent)
        self._found["/"] = UpperEntry("/", root)

    def _add(self, entry: UpperEntry) -> None:
        self._found[entry.path] = entry
        if len(self._found) > _MOST_NAMES:
            raise FormatError(f"more than {_MOST_NAMES} changed files")
