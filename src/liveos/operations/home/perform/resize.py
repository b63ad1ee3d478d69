# SPDX-License-Identifier: Apache-2.0
"""A home gets another size: in place where that is possible, else, a file, by a copy.

In place, it has at each moment at least the size of its filesystem: what grows, grows first;
what becomes smaller, does so last.
"""

from dataclasses import replace

from liveos.errors import NoSpaceError
from liveos.formats.ext4.reader import Ext4
from liveos.host import disk
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.folder import FolderFile, StoredFile
from liveos.host.folders.partition import PartitionFolder
from liveos.host.transfer import PIECE
from liveos.operations.home.contents import (
    Lock,
    Shape,
    filesystem,
    inside,
    shape,
    unlock,
    write_copy,
)
from liveos.operations.home.in_place import InPlace, missing_bytes, set_filesystem_size
from liveos.operations.home.perform.beside import in_its_place
from liveos.operations.home.perform.create import reserve
from liveos.operations.steps.home import ResizeHome
from liveos.report import Reporter
from liveos.sizes import format_size

_MIB = 1 << 20


def resize_home(step: ResizeHome, reporter: Reporter) -> None:
    """A power cut leaves the old size or the new one, in the home or in its filesystem."""
    with step.place.hold():
        with step.place.open() as file:
            lock = unlock(file, step.key, step.place)
            old = filesystem(inside(file, lock), step.place)
            if step.size < step.old_size:
                _require_fitting(step, missing_bytes(old, _inner_size(step.size, lock, old)))
            with shape(old, _inner_size(step.size, lock, old)) as wanted:
                if not _stays(step, wanted):
                    _copy(step, file, lock, wanted, reporter)
                    return
        _in_place(step, lock, reporter)
    if isinstance(step.place.folder, PartitionFolder):
        disk.reread_partitions(step.place.folder.path)


def _require_fitting(step: ResizeHome, missing: int) -> None:
    """What the home holds must fit."""
    if missing:
        raise NoSpaceError(
            f"{step.place} holds more than fits into {format_size(step.size)}",
            hint=f"the least size is {-(-(step.size + missing) // _MIB)}M; nothing was changed",
        )


def _stays(step: ResizeHome, wanted: Shape) -> bool:
    """Whether it is done in place.

    :raises UnsupportedError: it cannot be, and there is no room for a copy in a partition.
    """
    if isinstance(step.place.folder, PartitionFolder):
        InPlace(wanted).require_possible(step.place)
        return True
    # A file on FAT becomes shorter by a copy.
    by_copy = step.size < step.old_size and isinstance(step.place.folder, FatFolder)
    return not by_copy and InPlace(wanted).obstacle() is None


def _in_place(step: ResizeHome, lock: Lock | None, reporter: Reporter) -> None:
    folder, name = step.place.folder, step.place.name
    if step.size > step.old_size:
        folder.resize(name, step.size)
    if step.size >= step.old_size:
        reserve(folder, name, step.size)
    place = _of_size(step.place, max(step.size, step.old_size))
    with place.open(writable=True) as file:
        contents = inside(file, lock)
        size = _inner_size(step.size, lock, Ext4(contents))
        set_filesystem_size(contents, size, place, reporter.progress)
    if step.size < step.old_size:
        folder.resize(name, step.size)


def _of_size(place: FolderFile, size: int) -> FolderFile:
    """The place of a home whose size has changed."""
    if isinstance(place.folder, PartitionFolder):
        return FolderFile(replace(place.folder, size=size), place.name)
    return place


def _inner_size(size: int, lock: Lock | None, old: Ext4) -> int:
    """Bytes of the filesystem in a home of ``size`` bytes."""
    header = 0 if lock is None else lock.header.offset
    block = old.superblock.block_size
    return (size - header) // block * block


def _copy(
    step: ResizeHome, file: StoredFile, lock: Lock | None, wanted: Shape, reporter: Reporter
) -> None:
    header = 0 if lock is None else lock.header.offset
    with in_its_place(step.place, step.size, stale=step.stale) as copy:
        for offset in range(0, header, PIECE):
            copy.write_at(offset, file.read_at(offset, min(PIECE, header - offset)))
        sink = inside(copy, lock)
        write_copy(wanted, sink, reporter.progress, zeros=lock is not None)
