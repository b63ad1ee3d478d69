# SPDX-License-Identifier: Apache-2.0
"""Files of volumes: streamed in, and read back from the disk."""

import os
import zlib
from collections.abc import Iterator

from liveos.formats.binary import Extent, ExtentSource, FileSource, Window
from liveos.formats.ext4.reader import Ext4
from liveos.host import disk, ext4
from liveos.host.direct import from_disk
from liveos.host.run import drain, feed
from liveos.host.tools import Command
from liveos.host.transfer import PIECE, DurableWriter, Progress, crc32_of, forget_cached
from liveos.host.volumes import (
    BLOCK,
    Ext4Volume,
    FatVolume,
    MountedVolume,
    StagedVolume,
    Volume,
)


def write_file(
    volume: Volume,
    path: str,
    size: int,
    data: Iterator[bytes],
    progress: Progress,
) -> None:
    """A new file of ``size`` bytes; every piece of ``data`` but the last is of whole blocks.

    Returns when it is on the disk; of what is only gathered yet, when it is whole.
    """
    match volume:
        case FatVolume():
            _to_fat(volume, path, data, progress)
        case Ext4Volume():
            _to_ext4(volume, path, size, data, progress)
        case StagedVolume():
            _to_stage(volume, path, data, progress)
        case MountedVolume():
            _to_mounted(volume, path, size, data, progress)


def crc32_on_disk(volume: Volume, path: str, size: int, progress: Progress) -> int:
    """The quick sum of a file (`Sums`), from the disk and not from the page cache."""
    if isinstance(volume, MountedVolume):
        with from_disk(volume.at(path)) as source:
            return crc32_of(source, size, progress)
    with disk.opened(volume.path, os.O_RDONLY) as descriptor:
        forget_cached(descriptor)
    match volume:
        case FatVolume():
            return _crc32_of_output(volume.read(path), progress)
        case Ext4Volume():
            return _crc32_on_ext4(volume, path, size, progress)
        case StagedVolume():
            with FileSource(volume.at(path)) as source:
                return crc32_of(source, size, progress)


def _to_fat(volume: FatVolume, path: str, data: Iterator[bytes], progress: Progress) -> None:
    done = 0
    with feed(volume.write(path)) as pipe:
        for piece in data:
            pipe.write(piece)
            done += len(piece)
            progress(done)
    disk.sync(volume.path)


def _to_stage(volume: StagedVolume, path: str, data: Iterator[bytes], progress: Progress) -> None:
    done = 0
    with volume.at(path).open("xb") as file:
        for piece in data:
            file.write(piece)
            done += len(piece)
            progress(done)


def _to_mounted(
    volume: MountedVolume, path: str, size: int, data: Iterator[bytes], progress: Progress
) -> None:
    """It has all its blocks from the beginning: what else is written there cannot take them."""
    place, position = volume.at(path), 0
    with disk.opened(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
        os.fchmod(descriptor, 0o644)
        if size:
            os.posix_fallocate(descriptor, 0, size)
        with DurableWriter(descriptor, progress) as writer:
            for piece in data:
                writer.write(position, piece)
                position += len(piece)
            writer.finish()
        os.fsync(descriptor)
    disk.sync_directory(place.parent)


def _to_ext4(
    volume: Ext4Volume, path: str, size: int, data: Iterator[bytes], progress: Progress
) -> None:
    """Allocate, fill, sync, and only then mark as written (see ``host.ext4``)."""
    runs = ext4.allocate(volume, path, size)
    with disk.opened(volume.path) as descriptor, DurableWriter(descriptor, progress) as writer:
        position = 0
        for piece in data:
            # What the last block has beyond the end of the file must not be an older owner's.
            padded = piece.ljust(-(-len(piece) // BLOCK) * BLOCK, b"\0")
            for start, stop, offset in _spread(runs, position, len(padded)):
                writer.write(volume.offset + offset, padded[start:stop])
            position += len(padded)
        writer.finish()
    ext4.mark_written(volume, path, runs)


def _spread(
    runs: tuple[ext4.BlockRun, ...], position: int, length: int
) -> Iterator[tuple[int, int, int]]:
    """(start, stop, offset on the volume) of the parts of ``length`` bytes from ``position``."""
    for part in runs:
        first = part.logical * BLOCK
        low, high = max(position, first), min(position + length, first + part.size)
        if low < high:
            yield low - position, high - position, part.offset + low - first


def _crc32_of_output(command: Command, progress: Progress) -> int:
    crc32 = done = 0
    with drain(command) as pipe:
        while piece := pipe.read(PIECE):
            crc32 = zlib.crc32(piece, crc32)
            done += len(piece)
            progress(done)
    return crc32


def _crc32_on_ext4(volume: Ext4Volume, path: str, size: int, progress: Progress) -> int:
    runs, block = ext4.block_runs(volume, path), _block_size(volume)
    # An unwritten extent reads as zeros, whatever its blocks hold.
    extents = [
        Extent(volume.offset + part.physical * block if part.written else None, part.length * block)
        for part in runs
    ]
    with from_disk(volume.path) as source:
        return crc32_of(ExtentSource(source, extents), size, progress)


def _block_size(volume: Ext4Volume) -> int:
    """Ours is `BLOCK`; sticks that were there before may have another."""
    with FileSource(volume.path) as source:
        return Ext4(Window(source, volume.offset, volume.size)).superblock.block_size
