# SPDX-License-Identifier: Apache-2.0
"""A home gets another size: it grows in place where nothing must move, else by a copy.

In place, the file grows first, which its filesystem does not notice. What is new in there lies
where nothing was; then all that changes in what was there is one transaction of the filesystem's
own journal.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from liveos.errors import NoSpaceError, UnsupportedError
from liveos.formats.ext4.groups import Bits, free_map
from liveos.formats.ext4.journal_file import open_journal
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.transaction import TransactionTooLargeError, write_transaction
from liveos.host import ext4_outline
from liveos.host.folders.ext4_window import replay
from liveos.host.folders.folder import StoredFile
from liveos.host.transfer import PIECE
from liveos.host.volumes import Ext4Volume
from liveos.operations.home.contents import (
    Lock,
    Shape,
    filesystem,
    inside,
    runs_of,
    shape,
    unlock,
    write_copy,
)
from liveos.operations.home.perform.beside import in_its_place
from liveos.operations.home.perform.create import reserve
from liveos.operations.steps.home import ResizeHome
from liveos.report import Reporter
from liveos.sizes import format_size

_MIB = 1 << 20


def resize_home(step: ResizeHome, reporter: Reporter) -> None:
    """A power cut leaves the old size or the new one, in the file or in its filesystem."""
    with step.place.hold():
        with step.place.open() as file:
            lock = unlock(file, step.key, step.place)
            old = filesystem(inside(file, lock), step.place)
            _require_room(step, lock, old)
            with shape(old, _inner_size(step.size, lock, old)) as wanted:
                if step.size < step.old_size or not _stays(wanted):
                    _copy(step, file, lock, wanted, reporter)
                    return
        _grow(step, lock)


def _inner_size(size: int, lock: Lock | None, old: Ext4) -> int:
    """Bytes of the filesystem in a home of ``size`` bytes."""
    header = 0 if lock is None else lock.header.offset
    block = old.superblock.block_size
    return (size - header) // block * block


def _require_room(step: ResizeHome, lock: Lock | None, old: Ext4) -> None:
    """What the home holds must fit."""
    if step.size >= step.old_size:
        return
    with ext4_outline.outline(old) as outline:
        least = ext4_outline.least_size(outline, old.superblock.block_size)
    least += 0 if lock is None else lock.header.offset
    if step.size < least:
        raise NoSpaceError(
            f"{step.place} holds more than fits into {format_size(step.size)}",
            hint=f"the least size is {-(-least // _MIB)}M; nothing was changed",
        )


def _stays(wanted: Shape) -> bool:
    """Whether all contents, and the journal, lie in the new filesystem where they are now."""
    journals = [open_journal(fs.source, fs.superblock) for fs in (wanted.old, wanted.new)]
    if None in journals or len({each and each.superblock_offset for each in journals}) > 1:
        return False
    return all(start == to for start, to, _ in ext4_outline.moved(wanted.old, wanted.new))


def _copy(
    step: ResizeHome, file: StoredFile, lock: Lock | None, wanted: Shape, reporter: Reporter
) -> None:
    header = 0 if lock is None else lock.header.offset
    with in_its_place(step.place, step.size, stale=step.stale) as copy:
        for offset in range(0, header, PIECE):
            copy.write_at(offset, file.read_at(offset, min(PIECE, header - offset)))
        sink = inside(copy, lock)
        write_copy(wanted, sink, reporter.progress, zeros=lock is not None)


def _grow(step: ResizeHome, lock: Lock | None) -> None:
    place = step.place
    if step.size != step.old_size:
        place.folder.resize(place.name, step.size)
    reserve(place.folder, place.name, step.size)
    with place.open(writable=True) as file:
        contents = inside(file, lock)
        # The home's own journal first: the transaction needs an empty one.
        replay(contents, Ext4Volume(Path(str(place)), 0, contents.size))
        old = Ext4(contents)
        with shape(old, _inner_size(step.size, lock, old)) as wanted:
            _write_growth(contents, wanted)


def _write_growth(contents: StoredFile, wanted: Shape) -> None:
    """Blocks that nothing has used, and then the others at once."""
    size = wanted.old.superblock.block_size
    used = np.zeros(wanted.new.superblock.blocks, np.bool_)
    used[: wanted.old.superblock.blocks] = ~free_map(wanted.old)
    for offset, length in runs_of(wanted.own_blocks() & ~used, size):
        for start in range(offset, offset + length, PIECE):
            part = min(PIECE, offset + length - start)
            contents.write_at(start, wanted.new.source.read_at(start, part))
    contents.flush()
    try:
        write_transaction(contents, contents, dict(_changed(wanted, used)))
    except TransactionTooLargeError as error:
        raise UnsupportedError(
            f"the journal of the home is too small for the change: {error}",
            hint="the home is as it was, in a longer file; resize it with resize2fs where it is"
            " mounted",
        ) from error


def _changed(wanted: Shape, used: Bits) -> Iterator[tuple[int, bytes]]:
    """Blocks in use that become others; of contents, which stay, the outline knows nothing."""
    size = wanted.old.superblock.block_size
    for block in np.flatnonzero(ext4_outline.metadata(wanted.new) & used).tolist():
        data = wanted.new.source.read_at(block * size, size)
        # Of the journal, which no transaction changes, the outline has an equal copy.
        if data != wanted.old.source.read_at(block * size, size):
            yield block, data
