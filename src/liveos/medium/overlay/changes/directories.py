# SPDX-License-Identifier: Apache-2.0
"""What files an OverlayFS changes, by walking its upper directory; and two of them compared."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind, FileTree, Node
from liveos.medium.overlay.changes.content import (
    differ_in_attributes,
    differ_in_content,
    differ_in_kind,
)
from liveos.medium.overlay.changes.findings import Findings
from liveos.medium.overlay.changes.layers import OverlayTree, layered
from liveos.medium.overlay.changes.matching import Kinship, Name, match
from liveos.medium.overlay.changes.model import Changes, Usage, Use
from liveos.medium.overlay.changes.usage import largest_first

_MOST_NODES = 1 << 22


def compare_layers(tree: OverlayTree) -> Changes:
    """What the upper directory changes of the root below it."""
    kinship = _Layers(tree)
    return _report(kinship.before, kinship.after, kinship, kinship.merged)


def compare_overlays(one: OverlayTree, other: OverlayTree) -> Changes:
    """What is different in the second of two overlays over one root."""
    before, after = _Tree(one), _Tree(other)
    return _report(before, after, _SameRoot(), [(one.root.number, other.root.number)])


def upper_usage(tree: OverlayTree) -> tuple[Usage, ...]:
    """The files in the upper directory by their size; one with several names counts once."""
    found: dict[int, Usage] = {}
    for node in _upper_nodes(tree):
        parts = layered(node)
        is_held = parts.upper is not None and not parts.marks.metacopy
        if node.kind is FileKind.FILE and is_held and node.size:
            found.setdefault(node.number, Usage(node.path, node.size, Use.FILE))
    return largest_first(found.values())


class _Tree:
    """A `Side`: of the nodes that were listed, only directories are kept."""

    def __init__(self, tree: FileTree) -> None:
        self.tree = tree
        self.directories = {tree.root.number: tree.root}
        self._last: tuple[int, dict[str, Any]] = (-1, {})

    def entries(self, directory: int) -> dict[str, int]:
        found: dict[str, int] = {}
        for name in self._listing(directory):
            node = self._load(directory, name)
            found[name] = node.number
            if node.kind is FileKind.DIRECTORY:
                self.directories.setdefault(node.number, node)
        return found

    def is_directory(self, number: int) -> bool:
        return number in self.directories

    def node(self, name: Name) -> Node:
        """The node of a name; quick for names of one directory after another."""
        return self.directories.get(name.node) or self._load(name.directory, name.name)

    def path(self, name: Name) -> str:
        return posixpath.join(self.directories[name.directory].path, name.name)

    def _load(self, directory: int, name: str) -> Node:
        reference = self._listing(directory)[name]
        return self.tree.load(posixpath.join(self.directories[directory].path, name), reference)

    def _listing(self, directory: int) -> dict[str, Any]:
        """Names with what `load` needs; of a name that is there twice, the first one counts."""
        if self._last[0] != directory:
            listing: dict[str, Any] = {}
            for name, reference in self.tree.scan(self.directories[directory]):
                listing.setdefault(name, reference)
            self._last = directory, listing
        return self._last[1]


class _Layers:
    """Kinship of the lower tree's nodes with those of the whole, from a walk of the upper one.

    ``merged`` are the directories that show both: all that can differ in names.
    """

    def __init__(self, tree: OverlayTree) -> None:
        self.before, self.after = _Tree(tree.lower_tree), _Tree(tree)
        self.merged: list[tuple[int, int]] = []
        self._to: dict[int, int] = {}
        self._from: dict[int, int] = {}
        root = tree.root
        for node in (root, *_upper_nodes(tree)):
            parts = layered(node)
            if node.kind is not FileKind.DIRECTORY:
                if parts.marks.origin is not None:
                    self._join(parts.marks.origin, node.number)
            elif parts.lower is not None:
                self.before.directories[parts.lower.number] = parts.lower
                self.after.directories[node.number] = node
                self.merged.append((parts.lower.number, node.number))
                self._join(parts.lower.number, node.number)

    def _join(self, before: int, after: int) -> None:
        """The first of several claims counts: a lower file may have been copied twice."""
        if before not in self._to and after not in self._from:
            self._to[before] = after
            self._from[after] = before

    def is_same(self, before: int, after: int) -> bool:
        if after % 2 == 0:
            return after // 2 == before
        return self.after.is_directory(after) and self._from.get(after) == before

    def moved_to(self, before: int) -> int | None:
        return self._to.get(before)

    def moved_from(self, after: int) -> int | None:
        return self._from.get(after)


class _SameRoot:
    """Kinship of nodes in two overlays: what shows through in both is one."""

    def is_same(self, before: int, after: int) -> bool:
        return before == after and after % 2 == 0

    def moved_to(self, before: int) -> int | None:  # noqa: ARG002 - as Kinship has it
        return None

    def moved_from(self, after: int) -> int | None:  # noqa: ARG002 - as Kinship has it
        return None


def _upper_nodes(tree: OverlayTree) -> Iterator[Node]:
    """Nodes that the upper directory has, parents first; the root is not among them."""
    waiting, seen, left = [tree.root], {tree.root.number}, _MOST_NODES
    while waiting:
        directory = waiting.pop()
        for name, reference in tree.scan(directory):
            left -= 1
            if left < 0:
                raise FormatError(f"more than {_MOST_NODES} files and directories")
            if reference.upper is None:
                continue
            node = tree.load(posixpath.join(directory.path, name), reference)
            if node.kind is FileKind.DIRECTORY:
                if node.number in seen:
                    raise FormatError(f"{node.path}: this directory has two places")
                seen.add(node.number)
                waiting.append(node)
            yield node


def _report(
    before: _Tree, after: _Tree, kinship: Kinship, directories: list[tuple[int, int]]
) -> Changes:
    matching = match(before, after, kinship, directories)
    findings = Findings()
    findings.added += map(after.path, matching.gained)
    findings.removed += map(before.path, matching.lost)
    for then, now in matching.moved:
        findings.renamed.append((before.path(then), after.path(now)))
    for then, now in (*matching.replaced, *matching.moved):
        pair = _Pair(before.tree, before.node(then), after.tree, after.node(now))
        pair.compare(after.path(now), findings)
    for old, new in directories:
        then_node, now_node = before.directories[old], after.directories[new]
        pair = _Pair(before.tree, then_node, after.tree, now_node)
        pair.compare(now_node.path, findings)
    return findings.changes()


@dataclass(frozen=True)
class _Pair:
    """Two nodes of which one took the place of the other, each in its tree."""

    old: FileTree
    before: Node
    new: FileTree
    after: Node

    def compare(self, path: str, findings: Findings) -> None:
        if differ_in_kind(self.before, self.after) or self._content_differs():
            findings.modified.append(path)
        elif differ_in_attributes(
            self.old.attributes(self.before), self.new.attributes(self.after)
        ):
            findings.metadata.append(path)

    def _content_differs(self) -> bool:
        """`differ_in_content`, without reading what both have from one lower file."""
        was, now = _lower_data(self.old, self.before), _lower_data(self.new, self.after)
        if was is not None and was == now:
            return False
        return differ_in_content(self.old, self.before, self.new, self.after)


def _lower_data(tree: FileTree, node: Node) -> int | None:
    """The number of the lower file whose content a node shows; None: it has its own."""
    if not isinstance(tree, OverlayTree):
        return node.number
    parts = layered(node)
    shows_lower = parts.upper is None or parts.marks.metacopy
    return parts.lower.number if shows_lower and parts.lower else None
