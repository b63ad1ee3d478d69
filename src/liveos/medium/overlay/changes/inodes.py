# SPDX-License-Identifier: Apache-2.0
"""Which inodes of an ext4 can differ between two of its states, found without reading the rest."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import FormatError
from liveos.formats.ext4.owners import BlockUse, Owners
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.superblock import OLD_INODE_SIZE

Bits = NDArray[np.bool_]
Numbers = NDArray[np.int64]

_MOST_BLOCKS_READ = 256
# Bytes of an inode that change without a change that anybody sees: times of access and of the
# inode itself, the version, checksums.
_IDLE = [*range(8, 16), *range(36, 40), 124, 125]
_IDLE_EXTRA = [*range(130, 136), *range(140, 144), *range(152, 156)]
_EXTRA_SIZE_WITH_ALL = 28
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


def changed_inodes(before: Ext4, after: Ext4, changed: Bits) -> Numbers:
    """Numbers of the inodes whose own bytes differ, in order."""
    old, new = before.superblock, after.superblock
    if (old.inode_size, old.inodes_per_group) != (new.inode_size, new.inodes_per_group):
        raise FormatError("the two filesystems have inodes of another size or number")
    found = [np.empty(0, np.int64)]
    for group, table in enumerate(after.descriptors.inode_table.tolist()):
        if group >= len(before.descriptors.inode_table):
            found.append(np.arange(new.inodes_per_group) + group * new.inodes_per_group + 1)
            continue
        found += _changed_in_group(before, after, group, table, changed)
    return np.concatenate(found)


def _changed_in_group(
    before: Ext4, after: Ext4, group: int, table: int, changed: Bits
) -> Iterator[Numbers]:
    superblock = after.superblock
    size, count = superblock.block_size, superblock.inode_table_blocks
    old_table = int(before.descriptors.inode_table[group])
    moved = old_table != table
    blocks = np.arange(count) if moved else np.flatnonzero(changed[table : table + count])
    for first, length in _runs(blocks):
        rows = _rows(before, (old_table + first) * size, length * size)
        new_rows = _rows(after, (table + first) * size, length * size)
        start = group * superblock.inodes_per_group + first * size // superblock.inode_size + 1
        yield np.flatnonzero(_differ(rows, new_rows)) + start


def _rows(filesystem: Ext4, offset: int, length: int) -> NDArray[np.uint8]:
    data = filesystem.source.read_at(offset, length)
    return np.frombuffer(data, np.uint8).reshape(-1, filesystem.superblock.inode_size)


def _differ(old: NDArray[np.uint8], new: NDArray[np.uint8]) -> Bits:
    """Which inodes differ in bytes that tell of a change."""
    differ = old != new
    differ[:, _IDLE] = False
    if old.shape[1] > OLD_INODE_SIZE:
        complete = (_extra_size(old) >= _EXTRA_SIZE_WITH_ALL) & (
            _extra_size(new) >= _EXTRA_SIZE_WITH_ALL
        )
        differ[np.ix_(complete, _IDLE_EXTRA)] = False
    return np.asarray(differ.any(axis=1))


def _extra_size(rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    return rows[:, 128] + rows[:, 129].astype(np.int64) * 256


def _runs(numbers: Numbers) -> Iterator[tuple[int, int]]:
    """Ascending numbers as (first, length) of runs, none of them very long."""
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    for run in np.split(numbers, breaks):
        for start in range(0, len(run), _MOST_BLOCKS_READ):
            part = run[start : start + _MOST_BLOCKS_READ]
            yield int(part[0]), len(part)
