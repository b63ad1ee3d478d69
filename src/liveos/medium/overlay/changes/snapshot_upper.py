# SPDX-License-Identifier: Apache-2.0
"""The upper directory that changes the same files as a snapshot overlay does."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from liveos.errors import UnsupportedError
from liveos.formats.binary import FormatError
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.records import ROOT_INODE
from liveos.formats.tree import FileKind
from liveos.medium.overlay.changes.content import Bits, differ_in_blocks
from liveos.medium.overlay.changes.inodes import changed_inodes, owners_of
from liveos.medium.overlay.changes.report import pair_of_states
from liveos.medium.overlay.changes.states import State, Survey
from liveos.medium.overlay.changes.upper_entries import UpperEntry, upper_entries
from liveos.medium.overlay.locate import OpenOverlay


@dataclass(frozen=True)
class SnapshotUpper:
    """The entries of an upper directory, whose nodes are inodes of ``tree``."""

    entries: tuple[UpperEntry, ...]
    tree: Ext4


def snapshot_upper(overlay: OpenOverlay) -> SnapshotUpper:
    """What an OverlayFS over the same root must have to show what the snapshot shows.

    :raises UnsupportedError: something is damaged, or of a kind whose files cannot be read.
    """
    try:
        before, after, changed = pair_of_states(overlay)
        survey = Survey.of(after)
        sameness = _Sameness(before, survey, changed)
        entries = upper_entries(State(before), State(after), sameness, ROOT_INODE)
    except FormatError as error:
        raise UnsupportedError(
            f"{overlay.place}: {error}", hint="liveos overlay check says what is wrong"
        ) from error
    return SnapshotUpper(entries, after)


class _Sameness:
    """What the changed blocks tell of the inodes."""

    def __init__(self, before: Ext4, survey: Survey, changed: Bits) -> None:
        self._before = before
        self._after = survey.filesystem
        self._names = survey.names
        self._changed = changed
        inodes = changed_inodes(before, self._after, changed)
        owned = owners_of(changed, survey.owners)
        self._ended = inodes.ended
        self._rewritten = inodes.remapped.copy()
        self._rewritten[owned] = True
        suspects = np.union1d(inodes.numbers, owned).tolist()
        self._suspects = frozenset(suspects)
        self._on_the_way = frozenset(self._directories_above(suspects))

    def _directories_above(self, suspects: Iterable[int]) -> Iterator[int]:
        """The suspects and all directories that lead to them."""
        seen: set[int] = set()
        for suspect in suspects:
            waiting = [suspect, *self._names.parents(suspect)]
            while waiting:
                number = waiting.pop()
                if number in seen:
                    continue
                seen.add(number)
                yield number
                place = self._names.directory_place(number)
                if place is not None:
                    waiting.append(place[0])

    def is_same(self, before: int, after: int) -> bool:
        return before == after and before < len(self._ended) and not self._ended[before]

    def differs(self, number: int) -> bool:
        """Times of directories count here: what is kept is to be all."""
        if number not in self._suspects:
            return False
        then = self._before.load("(node)", number)
        now = self._after.load("(node)", number)
        if _telling(self._before, number) != _telling(self._after, number):
            return True
        has_other_blocks = now.kind is not FileKind.DIRECTORY and self._rewritten[number]
        return bool(has_other_blocks) and differ_in_blocks(
            self._before, then, self._after, now, self._changed
        )

    def may_differ_below(self, directory: int) -> bool:
        return directory in self._on_the_way

    def all_paths(self, number: int) -> Iterator[str]:
        return self._names.paths(number)

    def at(self, path: str) -> int:
        node = self._after.lookup(path)
        if node is None:
            raise FormatError(f"{path} cannot be found again")
        return node.number


def _telling(filesystem: Ext4, number: int) -> tuple[object, ...]:
    """What of an inode is kept in an upper directory."""
    found = filesystem.attributes(filesystem.load("(node)", number))
    return found.mode, found.uid, found.gid, found.device, found.mtime_ns, dict(found.xattrs)
