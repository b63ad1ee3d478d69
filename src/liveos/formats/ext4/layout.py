# SPDX-License-Identifier: Apache-2.0
"""Where superblocks and group descriptors lie, the copies among them.

Facts from the kernel's ``fs/ext4/super.c`` (``descriptor_loc``) and ``balloc.c``
(``ext4_bg_has_super``, ``ext4_bg_num_gdb``, ``ext4_num_base_meta_clusters``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, starmap

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import FormatError
from liveos.formats.ext4.superblock import (
    SUPERBLOCK_OFFSET,
    Compat,
    Incompat,
    RoCompat,
    Superblock,
)

Column = NDArray[np.int64]

# 16 TiB of 4 KiB blocks in groups of the usual size; 8 MiB of descriptors.
_MOST_GROUPS = 1 << 17


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of blocks, as columns: ``length[i]`` blocks from ``start[i]``."""

    start: Column
    length: Column

    @property
    def total(self) -> int:
        """Blocks in all runs together."""
        return int(self.length.sum())

    def within(self, blocks: int) -> "Runs":
        """The parts of these runs that lie below ``blocks``."""
        length = np.clip(blocks - self.start, 0, self.length)
        return Runs(self.start, length)

    def parts(self, most: int) -> Iterator[slice]:
        """Slices of these runs that have ``most`` blocks each, give or take one run."""
        ends = np.cumsum(self.length)
        full = ends.searchsorted(np.arange(most, self.total, most)) + 1
        yield from starmap(slice, pairwise([0, *np.union1d(full, len(ends)).tolist()]))

    def blocks(self) -> Column:
        """Every block of every run, in order."""
        ends = np.cumsum(self.length)
        blocks: Column = np.repeat(self.start - (ends - self.length), self.length)
        blocks += np.arange(len(blocks))
        return blocks


@dataclass(frozen=True, eq=False)
class Copies:
    """The superblock and the descriptors in all their copies, and room for descriptors to come."""

    superblocks: Column
    descriptors: Runs
    reserved: Runs


def runs_of(start: Column, length: int) -> Runs:
    """A run of ``length`` blocks from each start."""
    return Runs(start, np.full(len(start), length, np.int64))


def checked_groups(superblock: Superblock) -> int:
    """The number of groups; `FormatError` when no filesystem is laid out like that."""
    groups = superblock.groups
    bits = 8 * superblock.block_size
    if (
        not 0 < groups <= _MOST_GROUPS
        or superblock.first_data_block > 1
        or (superblock.blocks_per_group > bits and not superblock.ro_compat & RoCompat.bigalloc)
        or superblock.inodes_per_group > bits
        or superblock.inodes_count > groups * superblock.inodes_per_group
        or superblock.blocks_per_group < superblock.inode_table_blocks
    ):
        raise FormatError("the ext4 superblock describes impossible groups")
    return groups


def group_starts(superblock: Superblock) -> Column:
    """The first block of each group."""
    numbers = np.arange(checked_groups(superblock), dtype=np.int64)
    return superblock.first_data_block + numbers * superblock.blocks_per_group


def has_superblock(superblock: Superblock) -> NDArray[np.bool_]:
    """Which groups begin with a copy of the superblock."""
    groups = checked_groups(superblock)
    if superblock.compat & Compat.sparse_super2:
        chosen = {0, superblock.first_backup_group, superblock.last_backup_group}
    elif superblock.ro_compat & RoCompat.sparse_super:
        chosen = {0, 1, *(base**power for base in (3, 5, 7) for power in range(1, 11))}
    else:
        return np.ones(groups, np.bool_)
    return np.isin(np.arange(groups), list(chosen))


def descriptor_blocks(superblock: Superblock) -> Column:
    """The blocks of the table of descriptors that is in use, in its order."""
    per_block = superblock.block_size // superblock.descriptor_size
    numbers = np.arange(-(-checked_groups(superblock) // per_block), dtype=np.int64)
    places = _first_superblock(superblock) + 1 + numbers
    scattered = numbers >= _in_one_piece(superblock, len(numbers))
    groups = numbers[scattered] * per_block
    places[scattered] = _behind_superblock(superblock)[groups]
    return places


def copies(superblock: Superblock) -> Copies:
    """Everything that superblocks and descriptors take, in all groups."""
    starts = group_starts(superblock)
    starts[0] = _first_superblock(superblock)
    present = has_superblock(superblock)
    per_block = superblock.block_size // superblock.descriptor_size
    table_blocks = -(-len(starts) // per_block)
    together = _in_one_piece(superblock, table_blocks)
    reserved = superblock.reserved_descriptor_blocks
    if 1 + together + reserved >= superblock.blocks_per_group:
        raise FormatError("the descriptors of this ext4 filesystem fill whole groups")
    numbers = np.arange(len(starts))
    old = present if together == table_blocks else present & (numbers < together * per_block)
    place = numbers % per_block
    scattered = (numbers // per_block >= together) & np.isin(place, (0, 1, per_block - 1))
    behind = _behind_superblock(superblock)[scattered]
    return Copies(
        starts[present],
        _joined(runs_of(starts[old] + 1, together), runs_of(behind, 1)),
        runs_of(starts[old] + 1 + together, reserved),
    )


def _first_superblock(superblock: Superblock) -> int:
    return SUPERBLOCK_OFFSET // superblock.block_size


def _in_one_piece(superblock: Superblock, table_blocks: int) -> int:
    """Blocks of the table that lie together; with meta_bg, later ones lie in their own groups."""
    if superblock.incompat & Incompat.meta_bg:
        return min(superblock.first_meta_group, table_blocks)
    return table_blocks


def _behind_superblock(superblock: Superblock) -> Column:
    """In each group, the block after its superblock, or the first one where it has none."""
    behind = group_starts(superblock) + has_superblock(superblock)
    if behind[0] <= _first_superblock(superblock):  # bigalloc with 1 KiB blocks begins at 0
        behind[0] += 1
    return behind


def _joined(first: Runs, second: Runs) -> Runs:
    return Runs(
        np.concatenate((first.start, second.start)), np.concatenate((first.length, second.length))
    )
