# SPDX-License-Identifier: Apache-2.0
"""All inodes of an ext filesystem, many at a time, as columns."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveos.formats.ext4.groups import Bits, checked_descriptors, used_inodes
from liveos.formats.ext4.reader import Ext4

_PIECE = 1 << 20
_TYPE = 0o170000
# Offsets as in `struct ext4_inode`; ``acl`` is the block of extended attributes.
_FIELDS = {
    "mode": ("<u2", 0x00),
    "size": ("<u4", 0x04),
    "flags": ("<u4", 0x20),
    "block": ("60u1", 0x28),
    "acl": ("<u4", 0x68),
    "acl_high": ("<u2", 0x76),
}


@dataclass(frozen=True, eq=False)
class Inodes:
    """Some inodes in use: their numbers, and an array with a field for each of `_FIELDS`."""

    numbers: NDArray[np.uint32]
    records: NDArray[np.void]

    def are(self, kind: int) -> Bits:
        """Which have this type (``stat.S_IFDIR`` …)."""
        return np.asarray(self.records["mode"] & _TYPE == kind)

    def chosen(self, which: Bits) -> "Inodes":
        return Inodes(self.numbers[which], self.records[which])


def inodes_in_use(fs: Ext4) -> Iterator[Inodes]:
    """The inodes whose bit is set, in order, about 1 MiB of inode tables at a time.

    Tables are read only as far as inodes are in use.
    """
    superblock = fs.superblock
    used, tables = used_inodes(fs), checked_descriptors(fs).inode_table
    record = _record(superblock.inode_size)
    per_group, per_piece = superblock.inodes_per_group, _PIECE // record.itemsize
    for group, table in enumerate(tables.tolist()):
        bits = used[group * per_group : (group + 1) * per_group]
        for first in range(0, _length(bits), per_piece):
            part = bits[first : min(first + per_piece, _length(bits))]
            offset = table * superblock.block_size + first * record.itemsize
            data = fs.source.read_at(offset, len(part) * record.itemsize)
            numbers = np.flatnonzero(part) + (group * per_group + first + 1)
            yield Inodes(numbers.astype(np.uint32), np.frombuffer(data, record)[part])


def directories(fs: Ext4) -> Bits:
    """For each inode number (0 is none), whether it is a directory in use."""
    found = np.zeros(fs.superblock.inodes_count + 1, np.bool_)
    for inodes in inodes_in_use(fs):
        found[inodes.numbers[inodes.are(stat.S_IFDIR)]] = True
    return found


def _record(size: int) -> np.dtype[np.void]:
    formats, offsets = zip(*_FIELDS.values(), strict=True)
    layout = {"names": list(_FIELDS), "formats": formats, "offsets": offsets, "itemsize": size}
    return np.dtype(layout)  # type: ignore[call-overload,no-any-return]  # the stubs want literals


def _length(bits: Bits) -> int:
    """Bits up to the last one that is set."""
    last = np.flatnonzero(bits[::-1])[:1]
    return len(bits) - int(last[0]) if len(last) else 0
