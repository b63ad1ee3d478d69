# SPDX-License-Identifier: Apache-2.0
"""Where the journal of a filesystem lies, and what its superblock says.

Only the superblock, the first group descriptor and inode 8 are read: the rest of a filesystem
that was not unmounted may be in any state before its journal is replayed.
"""

from dataclasses import dataclass

from liveos.formats.binary import ByteSource, Extent, ExtentSource
from liveos.formats.ext4.blocks import extent_tree_runs, indirect_runs
from liveos.formats.ext4.journal import JournalError, JournalSuperblock
from liveos.formats.ext4.records import Inode, InodeFlag
from liveos.formats.ext4.superblock import SUPERBLOCK_OFFSET, Compat, Superblock

_JOURNAL_INODE = 8
_MOST_BLOCKS = 1 << 22  # mke2fs gives the largest filesystems 1 << 18
_FEWEST_BLOCKS = 1024  # JBD2_MIN_JOURNAL_BLOCKS
_MOST_RUNS = 1 << 16
# In a group descriptor: where the group's inodes begin.
_INODE_TABLE, _INODE_TABLE_HIGH = slice(0x08, 0x0C), slice(0x28, 0x2C)
_WIDE_DESCRIPTOR = 64


@dataclass(frozen=True)
class JournalFile:
    """A journal inside its filesystem; its blocks are counted from its own beginning."""

    superblock: JournalSuperblock
    source: ExtentSource

    @property
    def superblock_offset(self) -> int:
        """Where in the filesystem the journal's superblock lies, in bytes."""
        return self.offset_of(0)

    def offset_of(self, block: int) -> int:
        """Where in the filesystem a block of the journal lies, in bytes."""
        place = block * self.superblock.block_size
        for extent in self.source.extents:
            if place < extent.length and extent.offset is not None:
                return extent.offset + place
            place -= extent.length
        raise JournalError(f"block {block} lies behind the end of the journal")

    def holds(self, offset: int) -> bool:
        """Whether a byte of the filesystem belongs to the journal's content."""
        return any(
            extent.offset is not None and 0 <= offset - extent.offset < extent.length
            for extent in self.source.extents
        )

    def read(self, block: int) -> bytes:
        """A block of the journal."""
        size = self.superblock.block_size
        return self.source.read_at(block * size, size)


def open_journal(source: ByteSource, superblock: Superblock) -> JournalFile | None:
    """The internal journal of the filesystem in ``source``; None when it has none.

    :raises JournalError: the journal is external, or nothing that the kernel would load.
    :raises FormatError: what leads to it is damaged.
    """
    if not superblock.compat & Compat.has_journal:
        return None
    if superblock.journal_inode == 0 or any(superblock.journal_uuid):
        raise JournalError("the journal of this filesystem lies on another device")
    if superblock.journal_inode != _JOURNAL_INODE:
        raise JournalError(f"the journal lies in inode {superblock.journal_inode} instead of 8")
    content = ExtentSource(source, _extents(source, superblock))
    data = content.read_at(0, superblock.block_size)
    journal = JournalSuperblock.checked(data, superblock.block_size)
    blocks = content.size // superblock.block_size
    if not _FEWEST_BLOCKS <= journal.blocks <= blocks:
        raise JournalError(f"a journal of {journal.blocks} blocks in a file of {blocks}")
    return JournalFile(journal, content)


def _extents(source: ByteSource, superblock: Superblock) -> tuple[Extent, ...]:
    """Where the journal's file lies: all of it, without holes, inside the filesystem."""
    inode = _inode(source, superblock)
    block_size = superblock.block_size
    count = (inode.size_low | inode.size_high << 32) // block_size
    if count > min(_MOST_BLOCKS, superblock.blocks):
        raise JournalError(f"the journal's inode claims {count} blocks")

    def read_block(number: int) -> bytes:
        return _block(source, superblock, number)

    if inode.flags & InodeFlag.EXTENTS:
        runs = extent_tree_runs(read_block, inode.block, count)
    else:
        runs = indirect_runs(read_block, inode.block, count, block_size)
    extents: list[Extent] = []
    end = 0
    for run in runs:
        if run.physical is None or run.logical != end or len(extents) == _MOST_RUNS:
            raise JournalError(f"the journal's file has a hole or too many pieces at block {end}")
        if not 0 < run.physical <= superblock.blocks - run.length:
            raise JournalError("the journal's file lies outside the filesystem")
        length = min(run.length, count - end)
        extents.append(Extent(run.physical * block_size, length * block_size))
        end += run.length
    return tuple(extents)


def _inode(source: ByteSource, superblock: Superblock) -> Inode:
    """The journal's inode, through the first group descriptor."""
    descriptor = _block(source, superblock, SUPERBLOCK_OFFSET // superblock.block_size + 1)
    first = int.from_bytes(descriptor[_INODE_TABLE], "little")
    if superblock.descriptor_size >= _WIDE_DESCRIPTOR:
        first |= int.from_bytes(descriptor[_INODE_TABLE_HIGH], "little") << 32
    index = (_JOURNAL_INODE - 1) * superblock.inode_size
    block, offset = divmod(index, superblock.block_size)
    return Inode.unpack(_block(source, superblock, first + block), offset)


def _block(source: ByteSource, superblock: Superblock, number: int) -> bytes:
    if not 0 < number < superblock.blocks:
        raise JournalError(f"the way to the journal leads to block {number} of {superblock.blocks}")
    return source.read_at(number * superblock.block_size, superblock.block_size)
