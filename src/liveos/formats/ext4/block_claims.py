# SPDX-License-Identifier: Apache-2.0
"""Which blocks many inodes have: `blocks` does it for one file in its order, this for all at once.

Extent trees and indirect blocks are followed a level at a time. A claim on blocks of a tree comes
before they are read, so that who consumes the claims can refuse a block that serves twice: then
every tree ends.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import FormatError
from liveos.formats.ext4.groups import Bits
from liveos.formats.ext4.inode_tables import Inodes
from liveos.formats.ext4.layout import Column, Runs, runs_of
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.records import EXTENT_MAGIC, InodeFlag

Numbers = NDArray[np.uint32]
Nodes = NDArray[np.uint8]

_DEEPEST_TREE = 5  # the kernel's EXT4_MAX_EXTENT_DEPTH
_WRITTEN = 32768  # longer lengths mark an unwritten extent of ``length - 32768`` blocks
_DIRECT = 12
_AT_ONCE = 256  # blocks of trees in memory
_ENTRY_SIZE = 12
_HEADER = np.dtype([("magic", "<u2"), ("entries", "<u2"), ("capacity", "<u2"), ("depth", "<u2")])
# Leaves and indexes in one: both begin with the first logical block.
_ENTRY = np.dtype(
    {
        "names": ["length", "start_high", "start_low", "leaf_low", "leaf_high"],
        "formats": ["<u2", "<u2", "<u4", "<u4", "<u2"],
        "offsets": [4, 6, 8, 4, 8],
        "itemsize": _ENTRY_SIZE,
    }
)


@dataclass(frozen=True, eq=False)
class Claim:
    """Runs of blocks, and the inode that has each; those of a ``tree`` only map other blocks."""

    inodes: Numbers
    runs: Runs
    tree: bool


@dataclass(frozen=True, eq=False)
class _Waiting:
    """Blocks of trees to be read: whose they are, and how many levels lie below each."""

    blocks: Column
    inodes: Numbers
    levels: Column

    def part(self, which: slice) -> "_Waiting":
        return _Waiting(self.blocks[which], self.inodes[which], self.levels[which])


# Takes nodes, their inodes, and the levels below each (None: not known yet, these are roots).
_Decoded = Generator[Claim, None, _Waiting]
_Decode = Callable[[Nodes, Numbers, Column | None], _Decoded]


def claims(fs: Ext4, inodes: Inodes) -> Iterator[Claim]:
    """The blocks of inodes that have block maps, holes left out.

    :raises FormatError: a tree is damaged.
    """
    by_extents = inodes.records["flags"] & InodeFlag.EXTENTS != 0
    for which, decode in ((by_extents, _extents), (~by_extents, _indirect)):
        some = inodes.chosen(which)
        roots = np.ascontiguousarray(some.records["block"])
        yield from _follow(fs, decode, (yield from decode(roots, some.numbers, None)))


def _follow(fs: Ext4, decode: _Decode, children: _Waiting) -> Iterator[Claim]:
    stack = [children]
    while stack:
        waiting = stack.pop()
        if len(waiting.blocks):
            yield Claim(waiting.inodes, runs_of(waiting.blocks, 1), tree=True)
        for first in range(0, len(waiting.blocks), _AT_ONCE):
            part = waiting.part(slice(first, first + _AT_ONCE))
            stack.append((yield from decode(_read(fs, part.blocks), part.inodes, part.levels)))


def _read(fs: Ext4, blocks: Column) -> Nodes:
    size = fs.superblock.block_size
    data = b"".join(fs.source.read_at(block * size, size) for block in blocks.tolist())
    return np.frombuffer(data, np.uint8).reshape(len(blocks), size)


def _extents(nodes: Nodes, inodes: Numbers, levels: Column | None) -> _Decoded:
    """Nodes of extent trees."""
    capacity = (nodes.shape[1] - _ENTRY_SIZE) // _ENTRY_SIZE
    header = np.ascontiguousarray(nodes[:, : _HEADER.itemsize]).view(_HEADER)[:, 0]
    depth = header["depth"].astype(np.int64)
    wrong = (header["magic"] != EXTENT_MAGIC) | (header["entries"] > capacity)
    wrong |= depth > _DEEPEST_TREE if levels is None else depth != levels
    _refuse(wrong, inodes)
    entries = np.ascontiguousarray(nodes[:, _ENTRY_SIZE : _ENTRY_SIZE * (capacity + 1)])
    present = np.arange(capacity) < header["entries"][:, None]
    leaf = depth == 0
    place, slot = np.nonzero(present & leaf[:, None])
    leaves = entries.view(_ENTRY)[place, slot]
    length = leaves["length"].astype(np.int64)
    length[length > _WRITTEN] -= _WRITTEN
    _refuse(length == 0, inodes[place])
    start = _wide(leaves["start_low"], leaves["start_high"])
    yield Claim(inodes[place], Runs(start, length), tree=False)
    place, slot = np.nonzero(present & ~leaf[:, None])
    indexes = entries.view(_ENTRY)[place, slot]
    children = _wide(indexes["leaf_low"], indexes["leaf_high"])
    return _Waiting(children, inodes[place], depth[place] - 1)


def _indirect(nodes: Nodes, inodes: Numbers, levels: Column | None) -> _Decoded:
    """Roots of twelve direct and three indirect blocks, or indirect blocks."""
    numbers = nodes.view("<u4").astype(np.int64)
    below = np.zeros(numbers.shape, np.int64)  # levels below each number
    if levels is None:
        below[:, _DIRECT:] = (1, 2, 3)
    else:
        below += levels[:, None] - 1
    place, slot = np.nonzero((numbers != 0) & (below == 0))
    yield Claim(inodes[place], runs_of(numbers[place, slot], 1), tree=False)
    place, slot = np.nonzero((numbers != 0) & (below > 0))
    return _Waiting(numbers[place, slot], inodes[place], below[place, slot])


def _wide(low: NDArray[np.uint32], high: NDArray[np.uint16]) -> Column:
    numbers: Column = low.astype(np.int64)
    numbers |= high.astype(np.int64) << 32
    return numbers


def _refuse(wrong: Bits, inodes: Numbers) -> None:
    if wrong.any():
        raise FormatError(f"inode {inodes[wrong][0]} has a damaged extent tree")
