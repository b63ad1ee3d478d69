# SPDX-License-Identifier: Apache-2.0
"""All names of an ext4 in columns: half a million take some tens of megabytes, not objects."""

import os
import posixpath
from array import array
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import FormatError
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.records import ROOT_INODE

_MOST_NAMES = 1 << 22


class Names:
    """Where each inode of a filesystem is in its tree."""

    def __init__(self, filesystem: Ext4, directories: NDArray[np.bool_]) -> None:
        """``directories`` says of each inode number whether it is a directory in use."""
        self._texts = bytearray()
        starts, children, parents = array("Q"), array("I"), array("I")
        self._place: dict[int, int] = {}  # of a directory: its one row
        self._paths: dict[int, str] = {}  # of directories that were asked for
        unseen = directories.copy()
        unseen[ROOT_INODE] = False
        waiting = [ROOT_INODE]
        while waiting:
            parent = waiting.pop()
            for name, child in filesystem.scan(filesystem.load("(directory)", parent)):
                starts.append(len(self._texts))
                children.append(child)
                parents.append(parent)
                self._texts += os.fsencode(name)
                if child < len(directories) and directories[child]:
                    if not unseen[child]:
                        raise FormatError(f"{name}: this directory has two places")
                    unseen[child] = False
                    self._place[child] = len(children) - 1
                    waiting.append(child)
            if len(children) > _MOST_NAMES:
                raise FormatError(f"more than {_MOST_NAMES} names")
        starts.append(len(self._texts))
        self._starts = np.frombuffer(starts, np.uint64)
        self._parents = np.frombuffer(parents, np.uint32)
        child_column = np.frombuffer(children, np.uint32)
        self._order = np.argsort(child_column, kind="stable")
        self._children = child_column[self._order]

    def directory_place(self, directory: int) -> tuple[int, str] | None:
        """The parent of a directory and its name there; None where it has none."""
        row = self._place.get(directory)
        return None if row is None else (int(self._parents[row]), self._name(row))

    def paths(self, inode: int) -> Iterator[str]:
        """Every path of an inode, by its hard links."""
        if inode == ROOT_INODE:
            yield "/"
        for row in self._rows(inode):
            yield posixpath.join(self.directory_path(int(self._parents[row])), self._name(row))

    def parents(self, inode: int) -> Iterator[int]:
        """The directories in which an inode has a name, once for each name."""
        for row in self._rows(inode):
            yield int(self._parents[row])

    def directory_path(self, directory: int) -> str:
        """The path of a directory; `FormatError` when it is not in the tree."""
        path = self._paths.get(directory)
        if path is None:
            path = self._paths[directory] = self._find_path(directory)
        return path

    def _rows(self, inode: int) -> list[int]:
        """Where the names of an inode are in the columns."""
        wanted = np.uint32(inode)  # any other type would make numpy copy the column
        first = int(self._children.searchsorted(wanted))
        last = int(self._children.searchsorted(wanted, "right"))
        rows: list[int] = self._order[first:last].tolist()
        return rows

    def _find_path(self, directory: int) -> str:
        parts = []
        while directory != ROOT_INODE:
            row = self._place.get(directory)
            if row is None:
                raise FormatError(f"inode {directory} is a directory without a name")
            parts.append(self._name(row))
            directory = int(self._parents[row])
        return "/" + "/".join(reversed(parts))

    def _name(self, row: int) -> str:
        start, end = self._starts[row : row + 2].tolist()
        return os.fsdecode(bytes(self._texts[start:end]))
