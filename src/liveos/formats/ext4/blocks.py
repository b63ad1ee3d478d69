# SPDX-License-Identifier: Apache-2.0
"""Which blocks of an ext filesystem a file occupies: extent trees, and indirect blocks of old.

Both are read so that a hostile tree ends: runs of an extent tree must ascend, an indirect block
may serve once.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from liveos.formats.binary import FormatError
from liveos.formats.ext4.records import EXTENT_MAGIC, ExtentHeader, ExtentIndex, ExtentLeaf

ReadBlock = Callable[[int], bytes]

_DEEPEST_TREE = 5  # the kernel's EXT4_MAX_EXTENT_DEPTH
_WRITTEN = 32768  # longer lengths mark an unwritten extent of ``length - 32768`` blocks
_DIRECT = 12


@dataclass(frozen=True, slots=True)
class Run:
    """``length`` blocks of a file from ``logical``; physical None reads as zeros."""

    logical: int
    physical: int | None
    length: int


def extent_tree_runs(read_block: ReadBlock, root: bytes, count: int) -> Iterator[Run]:
    """The runs of a file of ``count`` blocks whose inode holds the extent tree ``root``."""
    end = 0
    for run in _tree_runs(read_block, root, _DEEPEST_TREE):
        if run.logical < end or run.length == 0:
            raise FormatError(f"the extent tree does not ascend at block {run.logical}")
        end = run.logical + run.length
        if run.logical >= count:
            return
        yield run


def _tree_runs(read_block: ReadBlock, node: bytes, deepest: int) -> Iterator[Run]:
    header = ExtentHeader.unpack(node)
    if header.magic != EXTENT_MAGIC or header.depth > deepest:
        raise FormatError(f"an extent tree node with magic {header.magic:#x}, depth {header.depth}")
    offsets = range(12, 12 + 12 * header.entries, 12)
    if header.depth == 0:
        for offset in offsets:
            yield _run(ExtentLeaf.unpack(node, offset))
        return
    for offset in offsets:
        index = ExtentIndex.unpack(node, offset)
        child = read_block(index.leaf_low | index.leaf_high << 32)
        if ExtentHeader.unpack(child).entries == 0:
            raise FormatError("an extent tree has an empty node")
        yield from _tree_runs(read_block, child, header.depth - 1)


def _run(leaf: ExtentLeaf) -> Run:
    if leaf.length > _WRITTEN:
        return Run(leaf.logical, None, leaf.length - _WRITTEN)
    return Run(leaf.logical, leaf.start_low | leaf.start_high << 32, leaf.length)


def indirect_runs(read_block: ReadBlock, root: bytes, count: int, block_size: int) -> Iterator[Run]:
    """The runs of a file of ``count`` blocks whose inode holds the block numbers ``root``.

    Twelve direct blocks, then one singly, one doubly and one triply indirect block.
    """
    numbers = struct.unpack("<15I", root)
    tree = _IndirectBlocks(read_block, count, block_size // 4)
    yield from tree.leaf(numbers[:_DIRECT], 0)
    logical = _DIRECT
    for level, number in enumerate(numbers[_DIRECT:], 1):
        yield from tree.runs(number, level, logical)
        logical += tree.per_block**level


class _IndirectBlocks:
    """Follows indirect blocks of ``per_block`` numbers, each block at most once."""

    def __init__(self, read_block: ReadBlock, count: int, per_block: int) -> None:
        self._read_block = read_block
        self._count = count
        self.per_block = per_block
        self._seen: set[int] = set()

    def runs(self, number: int, level: int, logical: int) -> Iterator[Run]:
        """What lies below an indirect block; number 0 is a hole."""
        if number == 0 or logical >= self._count:
            return
        if number in self._seen:
            raise FormatError(f"block {number} is an indirect block twice")
        self._seen.add(number)
        numbers = struct.unpack(f"<{self.per_block}I", self._read_block(number))
        if level == 1:
            yield from self.leaf(numbers, logical)
            return
        span = self.per_block ** (level - 1)
        for index, child in enumerate(numbers):
            yield from self.runs(child, level - 1, logical + index * span)

    def leaf(self, numbers: tuple[int, ...], logical: int) -> Iterator[Run]:
        """Block numbers as runs: neighbours in the file and on disk make one."""
        numbers = numbers[: max(0, self._count - logical)]
        start = 0
        for index, number in enumerate(numbers):
            following = numbers[index + 1] if index + 1 < len(numbers) else 0
            if number and following == number + 1:
                continue
            if number:
                length = index + 1 - start
                yield Run(logical + start, number - length + 1, length)
            start = index + 1
