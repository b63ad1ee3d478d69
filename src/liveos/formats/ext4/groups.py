# SPDX-License-Identifier: Apache-2.0
"""Which blocks and inodes of an ext filesystem are in use, by its bitmaps.

Nothing here is believed against its checksum: where descriptors or bitmaps do not match theirs,
there is a `FormatError` and no map.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import FormatError
from liveos.formats.ext4.descriptors import Descriptors, GroupFlag
from liveos.formats.ext4.layout import Column, Runs, copies, runs_of
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.row_checksums import Rows, crc32c_rows
from liveos.formats.ext4.superblock import RoCompat

Bits = NDArray[np.bool_]

# Both maps have a byte for each: 512 GiB of 4 KiB blocks.
_MOST_BLOCKS = 1 << 27
_MOST_INODES = 1 << 26


@dataclass(frozen=True, eq=False)
class SystemBlocks:
    """What the filesystem itself takes, by use; journals and other hidden files are not here.

    ``reserved`` is kept for descriptors to come.
    """

    superblocks: Runs
    descriptors: Runs
    reserved: Runs
    bitmaps: Runs
    inode_tables: Runs


def free_map(fs: Ext4) -> Bits:
    """For each block of the filesystem, whether it is free.

    Blocks of the filesystem itself count as used whatever the bitmaps say: groups whose bitmap
    was never written (BLOCK_UNINIT) hold nothing else.

    :raises FormatError: a checksum is wrong, or the bitmaps count clusters (bigalloc).
    """
    superblock = fs.superblock
    if superblock.ro_compat & RoCompat.bigalloc:
        raise FormatError("free blocks of ext4 filesystems with bigalloc cannot be told")
    descriptors = checked_descriptors(fs)
    unwritten = descriptors.flags & GroupFlag.BLOCK_UNINIT != 0
    bitmaps = _Bitmaps("block", descriptors.block_bitmap, descriptors.block_bitmap_checksum)
    used = bitmaps.read(fs, ~unwritten, superblock.blocks_per_group)
    first = superblock.first_data_block
    free = np.zeros(superblock.blocks, np.bool_)
    free[first:] = ~used[: superblock.blocks - first]
    system = system_blocks(fs)
    for field in fields(system):
        runs: Runs = getattr(system, field.name)
        free[runs.blocks()] = False
    return free


def used_inodes(fs: Ext4) -> Bits:
    """For each inode, beginning with number 1, whether it is in use; orphans are.

    :raises FormatError: a checksum is wrong.
    """
    superblock = fs.superblock
    descriptors = checked_descriptors(fs)
    unwritten = descriptors.flags & GroupFlag.INODE_UNINIT != 0
    bitmaps = _Bitmaps("inode", descriptors.inode_bitmap, descriptors.inode_bitmap_checksum)
    used = bitmaps.read(fs, ~unwritten, superblock.inodes_per_group)
    return used[: superblock.inodes_count]


def system_blocks(fs: Ext4) -> SystemBlocks:
    """Where the filesystem's own blocks lie; every one of them inside the filesystem."""
    descriptors, tables = checked_descriptors(fs), copies(fs.superblock)
    bitmaps = np.concatenate((descriptors.block_bitmap, descriptors.inode_bitmap))
    return SystemBlocks(
        runs_of(tables.superblocks, 1).within(fs.superblock.blocks),
        tables.descriptors.within(fs.superblock.blocks),
        tables.reserved.within(fs.superblock.blocks),
        runs_of(bitmaps, 1),
        runs_of(descriptors.inode_table, fs.superblock.inode_table_blocks),
    )


def checked_descriptors(fs: Ext4) -> Descriptors:
    """The group descriptors; `FormatError` when one is damaged or points outside."""
    superblock, descriptors = fs.superblock, fs.descriptors
    if superblock.blocks > _MOST_BLOCKS or superblock.inodes_count > _MOST_INODES:
        raise FormatError(f"an ext4 filesystem of {superblock.blocks} blocks is too large")
    damaged = np.flatnonzero(~descriptors.intact)
    if len(damaged):
        raise FormatError(f"the descriptor of group {damaged[0]} does not match its checksum")
    blocks = superblock.blocks
    outside = (
        (descriptors.block_bitmap >= blocks)
        | (descriptors.inode_bitmap >= blocks)
        | (descriptors.inode_table > blocks - superblock.inode_table_blocks)
    )
    if outside.any():
        group = np.flatnonzero(outside)[0]
        raise FormatError(f"group {group} has bitmaps or inodes outside the filesystem")
    return descriptors


@dataclass(frozen=True, eq=False)
class _Bitmaps:
    """One kind of bitmap: where each group has it, and its checksum there."""

    kind: str
    places: Column
    checksums: Column

    def read(self, fs: Ext4, written: Bits, bits: int) -> Bits:
        """The bits of all groups, ``bits`` for each; zeros for bitmaps that were not written."""
        rows = np.zeros((len(self.places), -(-bits // 8)), np.uint8)
        for group in np.flatnonzero(written).tolist():
            offset = int(self.places[group]) * fs.superblock.block_size
            rows[group] = np.frombuffer(fs.source.read_at(offset, rows.shape[1]), np.uint8)
        if fs.superblock.ro_compat & RoCompat.metadata_csum:
            self._require_sums(fs, rows[:, : bits // 8], written)
        unpacked = np.unpackbits(rows, axis=1, count=bits, bitorder="little")
        return unpacked.reshape(-1).view(np.bool_)

    def _require_sums(self, fs: Ext4, rows: Rows, written: Bits) -> None:
        sums = crc32c_rows(rows, fs.superblock.checksum_seed) & fs.descriptors.checksum_mask
        wrong = np.flatnonzero((sums != self.checksums) & written)
        if len(wrong):
            raise FormatError(f"the {self.kind} bitmap of group {wrong[0]} has a wrong checksum")
