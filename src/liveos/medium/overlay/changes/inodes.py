# SPDX-License-Identifier: Apache-2.0
"""Which inodes of an ext4 can differ between two of its states, found without reading the rest."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import FormatError
from liveos.formats.ext4.owners import BlockUse, Owners
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.records import InodeFlag
from liveos.formats.ext4.superblock import OLD_INODE_SIZE

Bits = NDArray[np.bool_]
Numbers = NDArray[np.int64]
Rows = NDArray[np.uint8]

_MOST_BLOCKS_READ = 256
# Bytes of an inode that change without a change that anybody sees: times of access and of the
# inode itself, the version, checksums.
_IDLE = [*range(8, 16), *range(36, 40), 124, 125]
_IDLE_EXTRA = [*range(130, 136), *range(140, 144), *range(152, 156)]
_EXTRA_WITH_ALL, _EXTRA_WITH_BIRTH = 28, 24
# Fields of an inode.
_MODE, _LINKS, _TYPE = 0, 26, 0o170000
_SIZE, _SIZE_HIGH, _FLAGS = slice(4, 8), slice(108, 112), slice(32, 36)
_BLOCK_MAP, _GENERATION, _BIRTH = slice(40, 100), slice(100, 104), slice(144, 152)
_OWNED = (BlockUse.FILE, BlockUse.DIRECTORY, BlockUse.XATTR, BlockUse.EXTENT_TREE)


def blocks_of_chunks(
    chunks: NDArray[np.integer], chunk_size: int, block_size: int, blocks: int
) -> Bits:
    """Which of a filesystem's blocks have bytes in any of these chunks."""
    touched = np.zeros(blocks, np.bool_)
    first = chunks.astype(np.int64) * chunk_size // block_size
    for step in range(max(1, -(-chunk_size // block_size))):
        numbers = first + step
        touched[numbers[numbers < blocks]] = True
    return touched


def owners_of(changed: Bits, owners: Owners) -> Numbers:
    """Inodes with content, directory entries, attributes or a block map in changed blocks."""
    owned = changed & np.isin(owners.use, _OWNED)
    return np.unique(owners.inode[owned]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class InodeChanges:
    """What the inode tables of two states tell; the flags are by inode number, 0 being none.

    ``numbers`` are the inodes that differ, in order. ``ended``: what the number stood for before
    is gone, whether it is used again or not. ``remapped``: content may be another because the
    inode says so: its size, its block map, or what lies in it.
    """

    numbers: Numbers
    ended: Bits
    remapped: Bits


def changed_inodes(before: Ext4, after: Ext4, changed: Bits) -> InodeChanges:
    """Compare the inode tables where their blocks changed.

    :raises FormatError: the inodes are laid out differently.
    """
    if _layout(before) != _layout(after):
        raise FormatError("the two filesystems have inodes of another size or number")
    numbers_end = after.superblock.inodes_count + 1
    ended, remapped = np.zeros(numbers_end, np.bool_), np.zeros(numbers_end, np.bool_)
    found = [np.empty(0, np.int64)]
    for group in range(after.superblock.groups):
        for numbers, rows, new_rows in _changed_in_group(before, after, group, changed):
            found.append(numbers)
            ended[numbers] = ~_lives_on(rows, new_rows)
            remapped[numbers] = _is_remapped(rows, new_rows)
    return InodeChanges(np.concatenate(found), ended, remapped)


def _layout(filesystem: Ext4) -> tuple[int, ...]:
    superblock = filesystem.superblock
    return (
        superblock.inode_size,
        superblock.inodes_per_group,
        superblock.inodes_count,
        superblock.groups,
        superblock.block_size,
    )


def _changed_in_group(
    before: Ext4, after: Ext4, group: int, changed: Bits
) -> Iterator[tuple[Numbers, Rows, Rows]]:
    """Numbers of inodes that differ, with their bytes before and after as rows."""
    superblock = after.superblock
    size, count = superblock.block_size, superblock.inode_table_blocks
    old_table, table = (int(each.descriptors.inode_table[group]) for each in (before, after))
    moved = old_table != table
    blocks = np.arange(count) if moved else np.flatnonzero(changed[table : table + count])
    for first, length in _runs(blocks):
        rows = _rows(before, (old_table + first) * size, length * size)
        new_rows = _rows(after, (table + first) * size, length * size)
        row = first * size // superblock.inode_size
        start = group * superblock.inodes_per_group + row + 1
        end = min(superblock.inodes_per_group - row, superblock.inodes_count + 1 - start)
        differ = _differ(rows, new_rows)
        differ[max(0, end) :] = False  # a table may end within its last block
        yield np.flatnonzero(differ) + start, rows[differ], new_rows[differ]


def _rows(filesystem: Ext4, offset: int, length: int) -> Rows:
    data = filesystem.source.read_at(offset, length)
    return np.frombuffer(data, np.uint8).reshape(-1, filesystem.superblock.inode_size)


def _differ(old: Rows, new: Rows) -> Bits:
    """Which inodes differ in bytes that tell of a change."""
    differ = old != new
    differ[:, _IDLE] = False
    complete = (_extra_size(old) >= _EXTRA_WITH_ALL) & (_extra_size(new) >= _EXTRA_WITH_ALL)
    if complete.any():
        differ[np.ix_(complete, _IDLE_EXTRA)] = False
    return np.asarray(differ.any(axis=1))


def _lives_on(old: Rows, new: Rows) -> Bits:
    """Which inodes are one file in both states: in use, of one type, made at one time.

    A number can be used again, by mke2fs and debugfs without a new generation.
    """
    in_use = (_word(old, _LINKS) != 0) & (_word(new, _LINKS) != 0)
    one_type = (_word(old, _MODE) ^ _word(new, _MODE)) & _TYPE == 0
    has_birth = _extra_size(old) >= _EXTRA_WITH_BIRTH
    both_have = has_birth == (_extra_size(new) >= _EXTRA_WITH_BIRTH)
    one_birth = ~has_birth | _equal(old, new, _BIRTH)
    one_file = in_use & one_type & _equal(old, new, _GENERATION) & both_have & one_birth
    return np.asarray(one_file)


def _is_remapped(old: Rows, new: Rows) -> Bits:
    same = _equal(old, new, _SIZE) & _equal(old, new, _SIZE_HIGH) & _equal(old, new, _FLAGS)
    same &= _equal(old, new, _BLOCK_MAP)
    inline = int(InodeFlag.INLINE_DATA) >> 16
    return np.asarray(~same | (_word(new, _FLAGS.start + 2) & inline != 0))


def _equal(old: Rows, new: Rows, part: slice) -> Bits:
    return np.asarray((old[:, part] == new[:, part]).all(axis=1))


def _word(rows: Rows, offset: int) -> NDArray[np.int64]:
    """A field of 16 bits."""
    return rows[:, offset] + rows[:, offset + 1].astype(np.int64) * 256


def _extra_size(rows: Rows) -> NDArray[np.int64]:
    """How far the fields behind the old ones reach; 0 in small inodes."""
    if rows.shape[1] == OLD_INODE_SIZE:
        return np.zeros(len(rows), np.int64)
    return _word(rows, OLD_INODE_SIZE)


def _runs(numbers: Numbers) -> Iterator[tuple[int, int]]:
    """Ascending numbers as (first, length) of runs, none of them very long."""
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    for run in np.split(numbers, breaks):
        for start in range(0, len(run), _MOST_BLOCKS_READ):
            part = run[start : start + _MOST_BLOCKS_READ]
            yield int(part[0]), len(part)
