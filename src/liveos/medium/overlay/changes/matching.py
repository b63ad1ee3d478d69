# SPDX-License-Identifier: Apache-2.0
"""Which names two trees do not share: added, removed, moved, or another file behind them.

Nodes are known by their numbers. The caller knows which directories can differ at all; only
these are listed, and those that one side alone has.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from liveos.formats.binary import FormatError

_MOST_NAMES = 1 << 22


class Side(Protocol):
    """One of the two trees."""

    def entries(self, directory: int) -> Mapping[str, int]:
        """The names in a directory, with the nodes' numbers."""

    def is_directory(self, number: int) -> bool:
        """Whether a node is a directory."""


class Kinship(Protocol):
    """Which nodes of the two trees are one, by their numbers."""

    def is_same(self, before: int, after: int) -> bool:
        """Whether two nodes with one name are one, so that the name needs no report."""

    def moved_to(self, before: int) -> int | None:
        """The node that goes on living in the second tree, wherever it is; None: it is gone."""

    def moved_from(self, after: int) -> int | None:
        """The node that it was in the first tree; None: it is new."""


class Name(NamedTuple):
    """A name in a directory of one of the trees, and the node that it belongs to."""

    directory: int
    name: str
    node: int


@dataclass(slots=True)
class Matching:
    """What became of the names. ``replaced`` and ``moved`` pair names before and after."""

    lost: list[Name] = field(default_factory=list)
    gained: list[Name] = field(default_factory=list)
    moved: list[tuple[Name, Name]] = field(default_factory=list)
    replaced: list[tuple[Name, Name]] = field(default_factory=list)


def match(
    before: Side, after: Side, kinship: Kinship, directories: Iterable[tuple[int, int]]
) -> Matching:
    """Compare the names in pairs of directories, and in those that only one side has."""
    matcher = _Matcher(before, after, kinship)
    matcher.compare(directories)
    matcher.expand_new()
    matcher.expand_gone()
    matcher.pair()
    return matcher.result


class _Matcher:
    """The state of one comparison."""

    def __init__(self, before: Side, after: Side, kinship: Kinship) -> None:
        self._before = before
        self._after = after
        self._kinship = kinship
        self._left = _MOST_NAMES
        self.result = Matching()

    def compare(self, directories: Iterable[tuple[int, int]]) -> None:
        waiting = list(directories)
        seen = set(waiting)
        while waiting:
            old, new = waiting.pop()
            for pair in self._compare(old, new):
                if pair not in seen:
                    seen.add(pair)
                    waiting.append(pair)

    def _compare(self, old: int, new: int) -> list[tuple[int, int]]:
        """Compare two directories; those below that took the place of another come back."""
        names_before = self._listed(self._before, old)
        names_after = self._listed(self._after, new)
        deeper = []
        for name, node in names_before.items():
            then, now = Name(old, name, node), names_after.get(name)
            if now is None:
                self.result.lost.append(then)
            elif not self._kinship.is_same(node, now):
                deeper += self._replaced(then, Name(new, name, now))
        gained = (name for name in names_after if name not in names_before)
        self.result.gained += (Name(new, name, names_after[name]) for name in gained)
        return deeper

    def _replaced(self, then: Name, now: Name) -> list[tuple[int, int]]:
        """One name, two nodes: a directory that lives on elsewhere has left its place."""
        was = self._before.is_directory(then.node)
        is_now = self._after.is_directory(now.node)
        if not was and not is_now:
            self.result.replaced.append((then, now))
            return []
        kinship = self._kinship
        settled = kinship.moved_to(then.node), kinship.moved_from(now.node)
        if was and is_now and settled == (None, None):
            self.result.replaced.append((then, now))
            return [(then.node, now.node)]
        self.result.lost.append(then)
        self.result.gained.append(now)
        return []

    def expand_new(self) -> None:
        """What is in directories that are new is gained too."""
        self._expand(self._after, self.result.gained, self._kinship.moved_from)

    def expand_gone(self) -> None:
        """What was in directories that are gone is lost too."""
        self._expand(self._before, self.result.lost, self._kinship.moved_to)

    def _expand(
        self, side: Side, names: list[Name], counterpart: Callable[[int], int | None]
    ) -> None:
        seen: set[int] = set()
        for each in names:  # which grows on the way
            if each.node in seen or counterpart(each.node) is not None:
                continue
            if side.is_directory(each.node):
                seen.add(each.node)
                inside = self._listed(side, each.node)
                names += (Name(each.node, name, node) for name, node in inside.items())

    def pair(self) -> None:
        """Names that the same node lost and gained are moves."""
        lost: dict[int, list[Name]] = defaultdict(list)
        for name in reversed(self.result.lost):
            lost[name.node].append(name)
        gained = []
        for name in self.result.gained:
            node = self._kinship.moved_from(name.node)
            if node is not None and lost.get(node):
                self.result.moved.append((lost[node].pop(), name))
            else:
                gained.append(name)
        self.result.gained = gained
        self.result.lost = [name for names in lost.values() for name in names]

    def _listed(self, side: Side, directory: int) -> Mapping[str, int]:
        names = side.entries(directory)
        self._left -= len(names)
        if self._left < 0:
            raise FormatError(f"more than {_MOST_NAMES} names")
        return names
