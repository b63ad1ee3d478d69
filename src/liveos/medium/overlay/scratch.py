# SPDX-License-Identifier: Apache-2.0
"""A filesystem of a view laid out in a private, sparse file, for programs that want a file."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liveos.errors import NoSpaceError
from liveos.formats.binary import ByteSource
from liveos.formats.ext4.inode_tables import inodes_in_use
from liveos.formats.ext4.owners import BlockUse, owners
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.superblock import Superblock
from liveos.host import disk
from liveos.host.folders.new_file import data_ranges
from liveos.report import Reporter
from liveos.sizes import format_size

Blocks = NDArray[np.bool_]
_PIECE = 1 << 20


def metadata_blocks(fs: Ext4) -> Blocks:
    """The blocks that a filesystem check looks into, by what bitmaps and inodes say.

    That is everything but free blocks and the content of files. Targets of symbolic links count.

    :raises FormatError: the filesystem is too damaged to tell.
    """
    whose = owners(fs)
    links = [inodes.numbers[inodes.are(stat.S_IFLNK)] for inodes in inodes_in_use(fs)]
    wanted = (whose.use != BlockUse.FREE) & (whose.use != BlockUse.FILE)
    return np.asarray(wanted | np.isin(whose.inode, np.concatenate([np.zeros(0, int), *links])))


class Scratch:
    """A sparse file with blocks of a filesystem, which remembers what it was given."""

    def __init__(self, path: Path, source: ByteSource, block_size: int) -> None:
        self.path = path
        self._source = source
        self._block_size = block_size
        # What each block was: its hash, or 0 where it is a hole.
        self._given = np.zeros(-(-source.size // block_size), np.int64)

    def fill(self, wanted: Blocks | None, reporter: Reporter) -> None:
        """Copy these blocks of the source, or all; zeros stay holes."""
        chosen = np.ones(len(self._given), dtype=bool)
        if wanted is not None:
            chosen[: len(wanted)] = wanted
            chosen[len(wanted) :] = False  # a filesystem may be shorter than what it lies in
        total = int(np.count_nonzero(chosen)) * self._block_size
        done = 0
        with disk.opened(self.path, os.O_RDWR) as descriptor:
            os.ftruncate(descriptor, self._source.size)
            for first, count in _runs(chosen, _PIECE // self._block_size):
                self._copy(descriptor, first, count)
                done += count * self._block_size
                reporter.progress(done, total)

    def changes(self) -> dict[int, bytes]:
        """The blocks that a program has changed since, as they are now."""
        size = self._block_size
        seen = np.zeros(len(self._given), dtype=bool)
        changed: dict[int, bytes] = {}
        with disk.opened(self.path, os.O_RDONLY) as descriptor:
            for start, stop in data_ranges(self.path):
                for block in range(start // size, min(-(-stop // size), len(self._given))):
                    content = os.pread(descriptor, size, block * size)
                    seen[block] = True
                    if _hash(content) != self._given[block]:
                        changed[block] = content
        for block in np.flatnonzero(~seen & (self._given != 0)).tolist():
            changed[block] = bytes(size)
        return changed

    def _copy(self, descriptor: int, first: int, count: int) -> None:
        size = self._block_size
        offset = first * size
        data = self._source.read_at(offset, min(count * size, self._source.size - offset))
        for number in range(-(-len(data) // size)):
            block = data[number * size : (number + 1) * size]
            self._given[first + number] = _hash(block)
            if self._given[first + number]:
                disk.write_all(descriptor, offset + number * size, block)


@contextmanager
def scratch_file(source: ByteSource, room: int) -> Iterator[Scratch]:
    """An empty scratch for an ext filesystem, in ``$TMPDIR`` and gone afterwards.

    :raises NoSpaceError: there are not ``room`` bytes free.
    """
    block_size = Superblock.checked(source).block_size
    with tempfile.TemporaryDirectory(prefix="liveos-") as directory:
        space = os.statvfs(directory)
        free = space.f_bavail * space.f_frsize
        if free < room:
            raise NoSpaceError(
                f"{Path(directory).parent} has {format_size(free)} free; up to"
                f" {format_size(room)} are needed to check the filesystem",
                hint="set TMPDIR to a directory with more room",
            )
        path = Path(directory) / "filesystem.img"
        path.touch(0o600)
        yield Scratch(path, source, block_size)


def _hash(block: bytes) -> int:
    """64 bits of a block; 0 for nothing but zeros."""
    return 0 if block.count(0) == len(block) else hash(block) or 1


def _runs(wanted: Blocks, most: int) -> Iterator[tuple[int, int]]:
    """(first, count) of blocks that lie together, not more than ``most`` at a time."""
    numbers = np.flatnonzero(wanted)
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    for run in np.split(numbers, breaks) if len(numbers) else ():
        for start in range(0, len(run), most):
            yield int(run[start]), min(most, len(run) - start)
