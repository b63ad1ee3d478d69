# SPDX-License-Identifier: Apache-2.0
"""What files differ between two states of one ext4, of which few blocks differ.

An inode whose bytes, and whose blocks, do not lie in changed blocks is the same in both states
without being looked at (snapshot-store.md 4.4). All names are read once, from the later state:
a directory that is the same has the same names.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from liveos.formats.binary import FormatError
from liveos.formats.ext4.owners import Owners, owners
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.records import ROOT_INODE
from liveos.formats.tree import FileKind
from liveos.medium.overlay.changes.content import (
    Bits,
    differ_in_attributes,
    differ_in_blocks,
    differ_in_kind,
)
from liveos.medium.overlay.changes.findings import Findings
from liveos.medium.overlay.changes.inodes import changed_inodes, owners_of
from liveos.medium.overlay.changes.matching import Matching, Name, match
from liveos.medium.overlay.changes.model import Changes
from liveos.medium.overlay.changes.names import Names

_DEEPEST = 1 << 12


@dataclass(frozen=True, eq=False)
class Survey:
    """An ext4, whose each of its blocks is, and where each of its inodes is in its tree."""

    filesystem: Ext4
    owners: Owners
    names: Names

    @classmethod
    def of(cls, filesystem: Ext4) -> Self:
        """Look over a whole filesystem: its inodes, and its directories."""
        owned = owners(filesystem)
        return cls(filesystem, owned, Names(filesystem, owned.directories))


def compare_states(before: Ext4, after: Survey, changed: Bits) -> Changes:
    """What became of ``before``.

    ``changed`` says of each block whether its bytes may be others in the two states.

    :raises FormatError: one of them is damaged where it is read.
    """
    return _Comparison(before, after, changed).changes()


class State:
    """One state as a `Side`; remembers where it has seen the nodes that it listed."""

    def __init__(self, filesystem: Ext4) -> None:
        self.filesystem = filesystem
        self.places: dict[int, tuple[int, str]] = {}

    def entries(self, directory: int) -> dict[str, int]:
        found: dict[str, int] = {}
        node = self.filesystem.load("(directory)", directory)
        for name, number in self.filesystem.scan(node):
            found.setdefault(name, number)
            self.places[number] = directory, name
        return found

    def is_directory(self, number: int) -> bool:
        return self.filesystem.load("(node)", number).kind is FileKind.DIRECTORY


class _Kinship:
    """Inodes that are the same file in both states: all but those that ``ended``."""

    def __init__(self, ended: Bits) -> None:
        self._ended = ended

    def is_same(self, before: int, after: int) -> bool:
        return before == after and self.lives_on(before)

    def moved_to(self, before: int) -> int | None:
        return before if self.lives_on(before) else None

    moved_from = moved_to

    def lives_on(self, number: int) -> bool:
        return number < len(self._ended) and not self._ended[number]


class _Comparison:
    """The two states and what is known of them."""

    def __init__(self, before: Ext4, survey: Survey, changed: Bits) -> None:
        after = survey.filesystem
        self._before = State(before)
        self._after = State(after)
        self._names = survey.names
        self._changed = changed
        inodes = changed_inodes(before, after, changed)
        owned = owners_of(changed, survey.owners)
        self._suspects = np.union1d(inodes.numbers, owned).tolist()
        self._kinship = _Kinship(inodes.ended)
        self._rewritten = inodes.remapped.copy()
        self._rewritten[owned] = True

    def changes(self) -> Changes:
        matching = match(self._before, self._after, self._kinship, self._directories())
        findings = Findings()
        self._report_names(matching, findings)
        for then, now in matching.replaced:
            self._compare(then.node, now.node, (self._new_path(now),), findings)
        for number in self._suspects:
            paths = tuple(self._names.paths(number))
            if paths and self._kinship.lives_on(number):
                self._compare_one(number, paths, findings)
        return findings.changes()

    def _directories(self) -> Iterator[tuple[int, int]]:
        """Directories in both states whose names can differ."""
        for number in self._suspects:
            in_tree = number == ROOT_INODE or self._names.directory_place(number) is not None
            if in_tree and self._kinship.lives_on(number) and self._before.is_directory(number):
                yield number, number

    def _report_names(self, matching: Matching, findings: Findings) -> None:
        findings.added += map(self._new_path, matching.gained)
        findings.removed += map(self._old_path, matching.lost)
        for then, now in matching.moved:
            findings.renamed.append((self._old_path(then), self._new_path(now)))

    def _new_path(self, name: Name) -> str:
        return posixpath.join(self._names.directory_path(name.directory), name.name)

    def _old_path(self, name: Name) -> str:
        """A path of before: directories that were not listed are where they are afterwards."""
        parts, directory = [name.name], name.directory
        while directory != ROOT_INODE:
            place = self._before.places.get(directory) or self._names.directory_place(directory)
            if place is None or len(parts) > _DEEPEST:
                raise FormatError(f"the directory of {name.name} cannot be found")
            directory, part = place
            parts.append(part)
        return "/" + "/".join(reversed(parts))

    def _compare_one(self, number: int, paths: tuple[str, ...], findings: Findings) -> None:
        """An inode that is one file in both states."""
        if self._rewritten[number]:
            self._compare(number, number, paths, findings)
            return
        states = (self._before.filesystem, self._after.filesystem)
        then, now = (each.attributes(each.load(paths[0], number)) for each in states)
        if differ_in_attributes(then, now):
            findings.metadata += paths

    def _compare(self, old: int, new: int, paths: tuple[str, ...], findings: Findings) -> None:
        """Two inodes of which one took the other's place, or one that was written to."""
        before, after = self._before.filesystem, self._after.filesystem
        then, now = before.load(paths[0], old), after.load(paths[0], new)
        if differ_in_kind(then, now) or differ_in_blocks(before, then, after, now, self._changed):
            findings.modified += paths
        elif differ_in_attributes(before.attributes(then), after.attributes(now)):
            findings.metadata += paths
