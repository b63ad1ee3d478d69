# SPDX-License-Identifier: Apache-2.0
"""Owner, times, devices and links of an ext4 inode (``struct ext4_inode`` in ``ext4.h``)."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from liveos.formats.binary import Record, u16, u32
from liveos.formats.ext4.records import Inode
from liveos.formats.ext4.superblock import OLD_INODE_SIZE
from liveos.formats.tree import Attributes, device_of

_SECOND = 1_000_000_000
_EPOCH_BITS = 2  # of the extra word of a time; the others count nanoseconds
_TIMES_END = 12  # extra fields up to the modification time's


@dataclass(frozen=True)
class _Extra(Record):
    """Fields of large inodes behind the old 128 bytes, as far as the times of interest."""

    size: u16
    checksum_high: u16
    change_time: u32
    modification_time: u32


@dataclass(frozen=True)
class _LinuxFields(Record):
    """The 12 bytes of an inode that each system uses in its own way, in that of Linux."""

    blocks_high: u16
    xattr_block_high: u16
    uid_high: u16
    gid_high: u16
    rest: Annotated[bytes, "4s"]


def attributes_of(inode: Inode, raw: bytes, xattrs: Mapping[str, bytes]) -> Attributes:
    """What stat(2) shows of an inode with the bytes ``raw``."""
    linux = _LinuxFields.unpack(inode.os_dependent)
    return Attributes(
        mode=inode.mode,
        uid=inode.uid | linux.uid_high << 16,
        gid=inode.gid | linux.gid_high << 16,
        mtime_ns=_modification_time(inode, raw),
        links=inode.links,
        device=_device(inode),
        xattrs=xattrs,
        generation=inode.generation,
    )


def xattr_block(inode: Inode, *, wide: bool) -> int:
    """The block with extended attributes; 0 for none. ``wide`` is the feature 64bit."""
    high = _LinuxFields.unpack(inode.os_dependent).xattr_block_high if wide else 0
    return inode.file_acl | high << 32


def _modification_time(inode: Inode, raw: bytes) -> int:
    seconds = inode.modification_time
    seconds -= (seconds & 1 << 31) << 1  # signed: times before 1970
    if len(raw) < OLD_INODE_SIZE + _TIMES_END:
        return seconds * _SECOND
    extra = _Extra.unpack(raw, OLD_INODE_SIZE)
    if extra.size < _TIMES_END:
        return seconds * _SECOND
    epoch = extra.modification_time & (1 << _EPOCH_BITS) - 1
    return (seconds + (epoch << 32)) * _SECOND + (extra.modification_time >> _EPOCH_BITS)


def _device(inode: Inode) -> tuple[int, int] | None:
    """A device's number: 16 bits in the first block number, or 32 in the second one."""
    old, new = struct.unpack_from("<II", inode.block)
    if old:
        return device_of(inode.mode, (old & 0xFF00) | (old & 0xFF))
    return device_of(inode.mode, new)
