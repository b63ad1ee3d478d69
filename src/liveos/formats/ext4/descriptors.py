# SPDX-License-Identifier: Apache-2.0
"""Group descriptors of ext2, ext3 and ext4, all of them at once.

Facts from the kernel's ``fs/ext4/ext4.h`` and ``super.c`` (``ext4_group_desc_csum``).
"""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource
from liveos.formats.ext4.layout import Column, checked_groups, descriptor_blocks
from liveos.formats.ext4.row_checksums import Rows, crc16_rows, crc32c_rows
from liveos.formats.ext4.superblock import RoCompat, Superblock

_WIDE = 64
_CHECKSUM = slice(0x1E, 0x20)
_BEYOND = 1 << 62  # stands for block numbers that no signed integer holds
# Field: its offset and width, and the offset of its upper half in wide descriptors.
_FIELDS = {
    "block_bitmap": (0x00, 4, 0x20),
    "inode_bitmap": (0x04, 4, 0x24),
    "inode_table": (0x08, 4, 0x28),
    "unused_inodes": (0x1C, 2, 0x32),
    "block_bitmap_checksum": (0x18, 2, 0x38),
    "inode_bitmap_checksum": (0x1A, 2, 0x3A),
}
_FLAGS = 0x12


class GroupFlag(IntFlag):
    """What of a group was never written; counts only with checksums of descriptors."""

    INODE_UNINIT = 1
    BLOCK_UNINIT = 2


@dataclass(frozen=True, eq=False)
class Descriptors:
    """Columns with a value for each group.

    Places are block numbers, as found: nobody has looked whether they are inside. Checksums of
    bitmaps have the bits of ``checksum_mask``: narrow descriptors keep 16 of 32. ``intact`` tells
    where the descriptor's own checksum holds, as it does when the filesystem has none.
    """

    block_bitmap: Column
    inode_bitmap: Column
    inode_table: Column
    unused_inodes: Column
    block_bitmap_checksum: Column
    inode_bitmap_checksum: Column
    flags: Column
    intact: NDArray[np.bool_]
    checksum_mask: int

    @classmethod
    def read(cls, source: ByteSource, superblock: Superblock) -> "Descriptors":
        """All descriptors, from the table that the first superblock belongs to."""
        groups, size = checked_groups(superblock), superblock.descriptor_size
        data = b"".join(
            source.read_at(block * superblock.block_size, superblock.block_size)
            for block in descriptor_blocks(superblock).tolist()
        )
        rows = np.frombuffer(data, np.uint8, groups * size).reshape(groups, size)
        columns = {name: _column(rows, *places) for name, places in _FIELDS.items()}
        flags = _unsigned(rows, _FLAGS, 2)
        if not superblock.ro_compat & (RoCompat.uninit_bg | RoCompat.metadata_csum):
            flags = np.zeros_like(flags)
        mask = 0xFFFFFFFF if size >= _WIDE else 0xFFFF
        intact = _intact(rows, superblock)
        return cls(**columns, flags=flags, intact=intact, checksum_mask=mask)


def _column(rows: Rows, offset: int, width: int, high_offset: int) -> Column:
    low = _unsigned(rows, offset, width)
    if rows.shape[1] < _WIDE:
        return low
    high = _unsigned(rows, high_offset, width)
    return np.where(high < 1 << 30, low | high << 8 * width, _BEYOND)


def _unsigned(rows: Rows, offset: int, width: int) -> Column:
    field = np.ascontiguousarray(rows[:, offset : offset + width])
    return field.view(f"<u{width}")[:, 0].astype(np.int64)


def _intact(rows: Rows, superblock: Superblock) -> NDArray[np.bool_]:
    """Which descriptors match their checksum (``ext4_group_desc_csum``)."""
    numbers = np.arange(len(rows), dtype="<u4").view(np.uint8).reshape(-1, 4)
    kept = _unsigned(rows, _CHECKSUM.start, 2)
    if superblock.ro_compat & RoCompat.metadata_csum:
        cleared = rows.copy()
        cleared[:, _CHECKSUM] = 0
        sums = crc32c_rows(np.hstack((numbers, cleared)), superblock.checksum_seed)
        return np.asarray(sums & 0xFFFF == kept)
    if superblock.ro_compat & RoCompat.uninit_bg:
        identity = np.tile(np.frombuffer(superblock.uuid_bytes, np.uint8), (len(rows), 1))
        parts = identity, numbers, rows[:, : _CHECKSUM.start], rows[:, _CHECKSUM.stop :]
        return np.asarray(crc16_rows(np.hstack(parts), 0xFFFF) == kept)
    return np.ones(len(rows), np.bool_)
