# SPDX-License-Identifier: Apache-2.0
"""Upper directories against a model of OverlayFS, for random changes of random trees."""

import copy
import posixpath
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.medium.overlay.changes.upper_entries import UpperEntry, upper_entries

ROOT = 2


@dataclass
class Tree:
    """Inodes by number: a mapping of names for directories, text for files; and their modes."""

    content: dict[int, dict[str, int] | str] = field(default_factory=lambda: {ROOT: {}})
    mode: dict[int, int] = field(default_factory=lambda: {ROOT: 0o755})

    def entries(self, directory: int) -> dict[str, int]:
        found = self.content[directory]
        assert isinstance(found, dict)
        return found

    def is_directory(self, number: int) -> bool:
        return isinstance(self.content[number], dict)

    def walk(self, path: str = "/", number: int = ROOT) -> Iterator[tuple[str, int]]:
        yield path, number
        if self.is_directory(number):
            for name, child in self.entries(number).items():
                yield from self.walk(posixpath.join(path, name), child)

    def facts(self, number: int) -> tuple[int, str]:
        found = self.content[number]
        return self.mode[number], "" if isinstance(found, dict) else f"file {found}"

    def shown(self) -> dict[str, tuple[int, str]]:
        return {path: self.facts(number) for path, number in self.walk()}

    def groups(self) -> dict[int, set[str]]:
        """The paths of each file."""
        found: dict[int, set[str]] = defaultdict(set)
        for path, number in self.walk():
            if not self.is_directory(number):
                found[number].add(path)
        return found


class Simulation:
    """A tree that is changed as a running system changes one."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.ended: set[int] = set()
        self._next = ROOT + 1

    def do(self, verb: str, where: int, other: int, name: str, text: str) -> None:
        """What cannot be done is not done."""
        places = list(self.tree.walk())
        path, number = places[where % len(places)]
        target = [each for _, each in places if self.tree.is_directory(each)]
        directory = target[other % len(target)]
        if verb == "mode":
            self.tree.mode[number] = len(text)
        elif verb in {"file", "directory"}:
            self._put(directory, name, text if verb == "file" else {})
        elif verb in {"write", "link"} and not self.tree.is_directory(number):
            if verb == "write":
                self.tree.content[number] = text
            else:
                self.tree.entries(directory).setdefault(name, number)
        elif number != ROOT:
            self._remove_or_move(verb, path, directory, name)

    def _remove_or_move(self, verb: str, path: str, directory: int, name: str) -> None:
        parent, old = self._place(path)
        number = self.tree.entries(parent)[old]
        if verb == "remove":
            self._remove(path)
            return
        is_free = name not in self.tree.entries(directory)
        if verb == "move" and is_free and not self._is_below(directory, number):
            del self.tree.entries(parent)[old]
            self.tree.entries(directory)[name] = number

    def _put(self, directory: int, name: str, content: dict[str, int] | str) -> None:
        if name in self.tree.entries(directory):
            return
        # A number that is free is used again, as ext4 does.
        free = sorted(self.ended - self.tree.content.keys())
        number = free[0] if free else self._next
        self._next += not free
        self.tree.content[number] = content
        self.tree.mode[number] = 0o644
        self.tree.entries(directory)[name] = number

    def _remove(self, path: str) -> None:
        parent, name = self._place(path)
        gone = self.tree.entries(parent).pop(name)
        reachable = {number for _, number in self.tree.walk()}
        for number in {gone, *self.tree.content} - reachable:
            del self.tree.content[number]
            self.ended.add(number)

    def _place(self, path: str) -> tuple[int, str]:
        parent, name = posixpath.split(path)
        return next(number for place, number in self.tree.walk() if place == parent), name

    def _is_below(self, directory: int, top: int) -> bool:
        return any(number == directory for _, number in self.tree.walk("/", top))


@dataclass
class Known:
    """What is the same in both trees, looked up the slow way."""

    before: Tree
    after: Tree
    ended: set[int]

    def is_same(self, before: int, after: int) -> bool:
        return before == after and before not in self.ended

    def differs(self, number: int) -> bool:
        return self.before.facts(number) != self.after.facts(number)

    def may_differ_below(self, directory: int) -> bool:
        one, other = (list(tree.walk("/", directory)) for tree in (self.before, self.after))
        return one != other or any(
            number in self.ended or self.differs(number) for _, number in one
        )

    def all_paths(self, number: int) -> Iterator[str]:
        return (path for path, found in self.after.walk() if found == number)

    def at(self, path: str) -> int:
        return next(number for place, number in self.after.walk() if place == path)


def mounted(lower: Tree, upper: dict[str, UpperEntry], after: Tree) -> dict[str, tuple[int, str]]:
    """What overlayfs.rst says that is seen: upper files hide, directories merge, whiteouts hide."""
    below = dict(lower.walk())
    above: dict[str, set[str]] = defaultdict(set)
    for path in upper:
        if path != "/":
            above[posixpath.dirname(path)].add(posixpath.basename(path))
    seen: dict[str, tuple[int, str]] = {}

    def look(path: str, *, merged: bool) -> None:
        names = above[path] | (set(lower.entries(below[path])) if merged else set())
        for name in names:
            child = posixpath.join(path, name)
            entry = upper.get(child)
            if entry is None:
                seen.update({p: lower.facts(n) for p, n in lower.walk(child, below[child])})
                continue
            if entry.node is None:
                continue
            seen[child] = after.facts(entry.node)
            if after.is_directory(entry.node):
                is_merged = merged and child in below and lower.is_directory(below[child])
                look(child, merged=is_merged and not entry.opaque)

    top = upper["/"]
    assert top.node is not None
    seen["/"] = after.facts(top.node)
    look("/", merged=True)
    return seen


verbs = st.sampled_from(["write", "mode", "file", "directory", "link", "remove", "move", "file"])
numbers = st.integers(0, 1 << 16)
names = st.sampled_from("abcdef")
changes = st.lists(st.tuples(verbs, numbers, numbers, names, st.text("xyz", max_size=3)))


@settings(max_examples=400)
@given(changes, changes)
def test_what_is_mounted_is_what_was_seen_before(
    first: list[tuple[str, int, int, str, str]], second: list[tuple[str, int, int, str, str]]
) -> None:
    simulation = Simulation()
    for change in first:
        simulation.do(*change)
    before = copy.deepcopy(simulation.tree)
    simulation.ended.clear()
    for change in second:
        simulation.do(*change)
    after = simulation.tree
    found = upper_entries(before, after, Known(before, after, simulation.ended), ROOT)
    upper = {entry.path: entry for entry in found}
    assert mounted(before, upper, after) == after.shown()
    seen: set[str] = set()
    for entry in found:
        assert entry.path == "/" or posixpath.dirname(entry.path) in seen
        seen.add(entry.path)
    for number, paths in after.groups().items():
        in_upper = {path for path in paths if path in upper}
        assert in_upper in (set(), paths), "hard links do not reach from one layer to the other"
        assert all(upper[path].node == number for path in in_upper)


def trees(*second: tuple[str, str, str]) -> tuple[UpperEntry, ...]:
    """Entries after changes of ``/d/f`` and ``/d/g``, which are named by path."""
    simulation = Simulation()
    for verb, path, name in (("directory", "/", "d"), ("file", "/d", "f"), ("file", "/d", "g")):
        _do(simulation, verb, path, name)
    before = copy.deepcopy(simulation.tree)
    for verb, path, name in second:
        _do(simulation, verb, path, name)
    after = simulation.tree
    return upper_entries(before, after, Known(before, after, simulation.ended), ROOT)


def _do(simulation: Simulation, verb: str, path: str, name: str) -> None:
    places = [place for place, _ in simulation.tree.walk()]
    directories = [
        place for place, number in simulation.tree.walk() if simulation.tree.is_directory(number)
    ]
    into = path if verb in {"file", "directory"} else posixpath.dirname(path)
    text = "text" if verb == "file" else "new"
    simulation.do(verb, places.index(path), directories.index(into), name, text)


def test_nothing_is_in_it_where_nothing_changed() -> None:
    assert trees() == (UpperEntry("/", ROOT),)


def test_a_removed_name_is_a_whiteout_in_its_directory() -> None:
    assert [(e.path, e.node is None) for e in trees(("remove", "/d/f", ""))] == [
        ("/", False),
        ("/d", False),
        ("/d/f", True),
    ]


def test_a_directory_in_the_place_of_another_is_opaque() -> None:
    found = trees(("remove", "/d", ""), ("directory", "/", "d"))
    assert [(entry.path, entry.opaque) for entry in found] == [("/", False), ("/d", True)]


def test_a_moved_directory_comes_whole_with_what_is_in_it() -> None:
    found = trees(("move", "/d", "e"))
    assert [(entry.path, entry.node is None) for entry in found] == [
        ("/", False),
        ("/d", True),
        ("/e", False),
        ("/e/f", False),
        ("/e/g", False),
    ]


def test_a_changed_file_leaves_its_neighbours_below() -> None:
    assert [entry.path for entry in trees(("write", "/d/f", ""))] == ["/", "/d", "/d/f"]
