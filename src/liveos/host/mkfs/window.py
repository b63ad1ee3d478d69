# SPDX-License-Identifier: Apache-2.0
"""A finished filesystem, put in its place on a disk and compared with what the disk gives back."""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from liveos.errors import NoSpaceError, ProblemsFoundError
from liveos.formats.binary import Extent, ExtentSource, FileSource
from liveos.host import disk
from liveos.host.direct import from_disk
from liveos.host.transfer import PIECE, DurableWriter, crc32_of, forget_cached
from liveos.host.volumes import BLOCK, StagedVolume

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


@dataclass(frozen=True, slots=True)
class Move:
    """``length`` bytes, from ``start`` of a file to ``offset`` of the filesystem.

    All three are whole blocks; what the file does not have is zeros.
    """

    file: Path
    start: int
    offset: int
    length: int

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """(offset on the filesystem, bytes of whole blocks)."""
        with FileSource(self.file) as source:
            for done in range(0, self.length, PIECE):
                length = min(PIECE, self.length - done)
                start = self.start + done
                there = min(length, max(0, source.size - start))
                yield self.offset + done, source.read_at(start, there).ljust(length, b"\0")


def create_image(volume: StagedVolume) -> None:
    """A sparse file of the size of the filesystem."""
    with volume.image.open("xb") as file:
        file.truncate(volume.size)


def data_ranges(path: Path) -> list[tuple[int, int]]:
    """(start, length) of what is no hole in a file, in whole blocks; lseek(2)."""
    ranges, stop = [], 0
    with disk.opened(path, os.O_RDONLY) as descriptor:
        size = os.fstat(descriptor).st_size
        while stop < size:
            try:
                start = os.lseek(descriptor, stop, os.SEEK_DATA)
            except OSError:  # ENXIO: nothing but a hole follows
                break
            stop = os.lseek(descriptor, start, os.SEEK_HOLE)
            first = start // BLOCK * BLOCK
            ranges.append((first, -(-stop // BLOCK) * BLOCK - first))
    return ranges


def put_image(volume: StagedVolume, progress: Progress) -> None:
    """As `put`, of everything that a program has written to ``volume.image``.

    :raises NoSpaceError: it has made the image larger, as mkfs.btrfs does for lack of room.
    """
    size = volume.image.stat().st_size
    if size > volume.size:
        raise NoSpaceError(
            f"the files need a filesystem of {size} bytes, and LIVE has {volume.size}",
            hint="ask for a smaller overlay or home, or use a larger stick",
        )
    ranges = data_ranges(volume.image)
    put(volume, (Move(volume.image, start, start, size) for start, size in ranges), progress)


def put(volume: StagedVolume, moves: Iterable[Move], progress: Progress) -> None:
    """Write, and read back from the disk.

    :raises ProblemsFoundError: the disk gives back other bytes than it was given.
    """
    moves = tuple(moves)
    total = 2 * sum(move.length for move in moves)
    written = 0
    with (
        disk.opened(volume.path) as descriptor,
        DurableWriter(descriptor, lambda done: progress(done, total)) as writer,
    ):
        for move in moves:
            for offset, data in move.pieces():
                written = zlib.crc32(data, written)
                writer.write(volume.offset + offset, data)
        writer.finish()
        forget_cached(descriptor)
    extents = [Extent(volume.offset + move.offset, move.length) for move in moves]
    with from_disk(volume.path) as source:
        there = crc32_of(
            ExtentSource(source, extents),
            total // 2,
            lambda done: progress(total // 2 + done, total),
        )
    if there != written:
        raise ProblemsFoundError(
            f"a filesystem was read back from {volume.path} with other bytes than were written",
            hint="the stick is failing, or it is smaller than it says: use another",
        )
