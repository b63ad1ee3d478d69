# SPDX-License-Identifier: Apache-2.0
"""Changes of files as facts. Paths are absolute inside the root, and sorted."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Changes:
    """How the files of one tree differ from those of another; the package says what counts.

    ``renamed`` pairs old and new paths. A file that was renamed and changed is in two lists,
    with its new path.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    metadata: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any((self.added, self.removed, self.modified, self.renamed, self.metadata))


class Use(StrEnum):
    """What room in an overlay is used for."""

    FILE = "file"
    UNLINKED = "unlinked"
    FREED = "freed"
    DIRECTORIES = "directories"
    XATTRS = "xattrs"
    EXTENTS = "extents"
    JOURNAL = "journal"
    INODES = "inodes"
    BITMAPS = "bitmaps"
    SUPERBLOCKS = "superblocks"
    RESERVED = "reserved"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Usage:
    """``size`` bytes of an overlay. ``path`` is that of a file, or a phrase in parentheses."""

    path: str
    size: int
    use: Use
