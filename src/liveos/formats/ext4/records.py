# SPDX-License-Identifier: Apache-2.0
"""Inodes and extent trees of ext4 (``ext4.h`` and ``ext4_extents.h``)."""

from dataclasses import dataclass
from enum import IntFlag
from typing import Annotated

from liveos.formats.binary import Record, u16, u32

EXTENT_MAGIC = 0xF30A
ROOT_INODE = 2


class InodeFlag(IntFlag):
    """Inode flags that decide how content is found."""

    ENCRYPTED = 0x800
    HUGE_FILE = 0x40000
    EXTENTS = 0x80000
    EXTENDED_ATTRIBUTE = 0x200000
    INLINE_DATA = 0x10000000


@dataclass(frozen=True)
class Inode(Record):
    """The first 128 bytes of an inode."""

    mode: u16
    uid: u16
    size_low: u32
    access_time: u32
    change_time: u32
    modification_time: u32
    deletion_time: u32
    gid: u16
    links: u16
    blocks: u32
    flags: u32
    version: u32
    block: Annotated[bytes, "60s"]
    generation: u32
    file_acl: u32
    size_high: u32
    fragment: u32
    os_dependent: Annotated[bytes, "12s"]


@dataclass(frozen=True)
class ExtentHeader(Record):
    """Begins a node of an extent tree; ``depth`` 0 is a leaf."""

    magic: u16
    entries: u16
    capacity: u16
    depth: u16
    generation: u32


@dataclass(frozen=True)
class ExtentLeaf(Record):
    """``length`` blocks of a file from ``logical`` lie at ``start``; above 32768, unwritten."""

    logical: u32
    length: u16
    start_high: u16
    start_low: u32


@dataclass(frozen=True)
class ExtentIndex(Record):
    """The blocks of a file from ``logical`` are described in another block."""

    logical: u32
    leaf_low: u32
    leaf_high: u16
    unused: u16
