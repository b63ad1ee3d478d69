# SPDX-License-Identifier: Apache-2.0
"""Whether two nodes differ: in what they are, in what they hold, in their attributes."""

import stat
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource, Extent
from liveos.formats.ext4.reader import Ext4
from liveos.formats.tree import Attributes, FileKind, FileTree, Node

Bits = NDArray[np.bool_]

_PIECE = 1 << 20


def differ_in_kind(before: Node, after: Node) -> bool:
    """Whether one is a file and the other a link, or the like."""
    return stat.S_IFMT(before.mode) != stat.S_IFMT(after.mode)


def differ_in_content(old: FileTree, before: Node, new: FileTree, after: Node) -> bool:
    """Whether files have other bytes, or links another target; both nodes are of one kind."""
    if before.kind not in {FileKind.FILE, FileKind.SYMLINK}:
        return False
    if before.size != after.size:
        return True
    if before.kind is FileKind.SYMLINK:
        return old.readlink(before) != new.readlink(after)
    return _differ(old.open(before), new.open(after), 0, before.size)


def differ_in_attributes(before: Attributes, after: Attributes) -> bool:
    """Whether mode, owner, device, extended attributes or a file's time differ."""
    return _telling(before) != _telling(after)


def _telling(one: Attributes) -> tuple[object, ...]:
    mtime = None if stat.S_ISDIR(one.mode) else one.mtime_ns
    return one.mode, one.uid, one.gid, one.device, mtime, dict(one.xattrs)


def _differ(old: ByteSource, new: ByteSource, start: int, length: int) -> bool:
    for offset in range(start, start + length, _PIECE):
        piece = min(_PIECE, start + length - offset)
        if old.read_at(offset, piece) != new.read_at(offset, piece):
            return True
    return False


def differ_in_blocks(old: Ext4, before: Node, new: Ext4, after: Node, changed: Bits) -> bool:
    """`differ_in_content` for two states of one ext4: only blocks that can differ are read.

    ``changed`` says of each block whether its bytes may be others in the two states.
    """
    if before.kind is not FileKind.FILE or before.size != after.size:
        return differ_in_content(old, before, new, after)
    size = new.superblock.block_size
    position = 0
    for was, now in _aligned(old.extents(before), new.extents(after)):
        if was != now:
            if _differ(old.open(before), new.open(after), position, now.length):
                return True
        elif now.offset is not None:
            for piece in _suspicious(now.offset, now.length, size, changed):
                if _differ(old.source, new.source, piece.start, len(piece)):
                    return True
        position += now.length
    return False


def _aligned(one: tuple[Extent, ...], other: tuple[Extent, ...]) -> Iterator[tuple[Extent, Extent]]:
    """Two lists of extents of files of one length, cut where either has a border."""
    left, right = list(reversed(one)), list(reversed(other))
    while left and right:
        first, second = left.pop(), right.pop()
        length = min(first.length, second.length)
        yield _head(first, length), _head(second, length)
        if first.length > length:
            left.append(_tail(first, length))
        if second.length > length:
            right.append(_tail(second, length))


def _head(extent: Extent, length: int) -> Extent:
    return Extent(extent.offset, length)


def _tail(extent: Extent, length: int) -> Extent:
    offset = None if extent.offset is None else extent.offset + length
    return Extent(offset, extent.length - length)


def _suspicious(offset: int, length: int, block_size: int, changed: Bits) -> Iterator[range]:
    """The parts of a range of bytes that lie in changed blocks."""
    first, last = offset // block_size, -(-(offset + length) // block_size)
    flags = np.concatenate(([False], changed[first:last], [False]))
    borders = np.flatnonzero(flags[1:] != flags[:-1]) + first
    for start, stop in borders.reshape(-1, 2).tolist():
        yield range(max(start * block_size, offset), min(stop * block_size, offset + length))
