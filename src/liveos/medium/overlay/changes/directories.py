# SPDX-License-Identifier: Apache-2.0
"""What files an OverlayFS changes, by walking its upper directory; and two of them compared."""

import posixpath
from collections.abc import Iterator

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
    """A `Side`: nodes of a tree by their number, as far as they have been listed."""

    def __init__(self, tree: FileTree) -> None:
        self.tree = tree
        self.nodes = {tree.root.number: tree.root}

    def entries(self, directory: int) -> dict[str, int]:
        found: dict[str, int] = {}
        parent = self.nodes[directory]
        for name, reference in self.tree.scan(parent):
            node = self.tree.load(posixpath.join(parent.path, name), reference)
            self.nodes[node.number] = node
            found.setdefault(name, node.number)
        return found

    def is_directory(self, number: int) -> bool:
        return self.nodes[number].kind is FileKind.DIRECTORY

    def path(self, name: Name) -> str:
        return posixpath.join(self.nodes[name.directory].path, name.name)


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
            self.after.nodes[node.number] = node
            parts = layered(node)
            if node.kind is FileKind.DIRECTORY and parts.lower is not None:
                self.before.nodes[parts.lower.number] = parts.lower
                self.merged.append((parts.lower.number, node.number))
                self._join(parts.lower.number, node.number)
            elif node.kind is not FileKind.DIRECTORY and parts.marks.origin is not None:
                self._join(parts.marks.origin, node.number)

    def _join(self, before: int, after: int) -> None:
        """The first of several claims counts: a lower file may have been copied twice."""
        if before not in self._to and after not in self._from:
            self._to[before] = after
            self._from[after] = before

    def is_same(self, before: int, after: int) -> bool:
        if after % 2 == 0:
            return after // 2 == before
        is_directory = self.after.nodes[after].kind is FileKind.DIRECTORY
        return is_directory and self._from.get(after) == before

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
        _compare(before, then.node, after, now.node, after.path(now), findings)
    for old, new in directories:
        _compare(before, old, after, new, after.nodes[new].path, findings)
    return findings.changes()


def _compare(
    before: _Tree, old: int, after: _Tree, new: int, path: str, findings: Findings
) -> None:
    then, now = before.nodes[old], after.nodes[new]
    if differ_in_kind(then, now) or _content_differs(before.tree, then, after.tree, now):
        findings.modified.append(path)
    elif differ_in_attributes(before.tree.attributes(then), after.tree.attributes(now)):
        findings.metadata.append(path)


def _content_differs(old: FileTree, before: Node, new: FileTree, after: Node) -> bool:
    """`differ_in_content`, without reading what both have from one lower file."""
    was, now = _lower_data(old, before), _lower_data(new, after)
    if was is not None and was == now:
        return False
    return differ_in_content(old, before, new, after)


def _lower_data(tree: FileTree, node: Node) -> int | None:
    """The number of the lower file whose content a node shows; None: it has its own."""
    if not isinstance(tree, OverlayTree):
        return node.number
    parts = layered(node)
    shows_lower = parts.upper is None or parts.marks.metacopy
    return parts.lower.number if shows_lower and parts.lower else None
