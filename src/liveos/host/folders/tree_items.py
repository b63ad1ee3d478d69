# SPDX-License-Identifier: Apache-2.0
"""Files, directories and other nodes that are to be written into an unmounted filesystem."""

import stat
from dataclasses import dataclass, field

from liveos.formats.binary import ByteSource
from liveos.formats.tree import Attributes

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class TreeItem:
    """A node with everything that it is to be.

    ``path`` is absolute in the filesystem. Nodes with one ``key`` are one file with several names.
    ``content`` are the bytes of a file, ``ranges`` (start, stop) those of them that are no holes.
    ``target`` is where a symlink leads. ``changes`` is a node that is there already and becomes
    this one: a directory, or a file with one name.
    """

    path: str
    attributes: Attributes
    key: int
    content: ByteSource | None = field(default=None, repr=False)
    ranges: Ranges = ()
    target: str = ""
    changes: bool = False

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.attributes.mode)

    @property
    def size(self) -> int:
        """Bytes of a file; 0 for everything else."""
        return 0 if self.content is None else self.content.size

    @property
    def stored(self) -> int:
        """Bytes of a file that are no holes."""
        return sum(stop - start for start, stop in self.ranges)
