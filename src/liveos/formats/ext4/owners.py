# SPDX-License-Identifier: Apache-2.0
"""What each block of an ext filesystem is for, and whose it is: one pass over all inodes."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import FormatError
from liveos.formats.ext4.block_claims import Claim, claims
from liveos.formats.ext4.groups import Bits, free_map, system_blocks
from liveos.formats.ext4.inode_tables import Inodes, directories, inodes_in_use
from liveos.formats.ext4.layout import Runs
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.records import ROOT_INODE, InodeFlag
from liveos.formats.ext4.superblock import Compat, Incompat, Superblock

_BAD_BLOCKS = 1  # the inode that owns them has no type
_OLD_FIRST_INODE = 11
_FAST_SYMLINK = 60
_AT_ONCE = 1 << 20  # blocks that are entered in one go


class BlockUse(IntEnum):
    """What a block is for.

    EXTENT_TREE stands for indirect blocks too. RESERVED is taken by nobody's file: room for
    descriptors to come, bad blocks, quotas, the list of orphans, what lies before the first block.
    """

    FREE = 0
    FILE = 1
    DIRECTORY = 2
    XATTR = 3
    EXTENT_TREE = 4
    JOURNAL = 5
    INODE_TABLE = 6
    BITMAP = 7
    SUPERBLOCK = 8
    DESCRIPTORS = 9
    RESERVED = 10


@dataclass(frozen=True, eq=False)
class Owners:
    """For each block, its inode (0 is none) and its `BlockUse`; and which inodes are directories.

    An inode that is in use without a name is an owner too: files deleted while open.
    """

    inode: NDArray[np.uint32]
    use: NDArray[np.uint8]
    directories: Bits

    def is_directory(self, inode: int) -> bool:
        """Whether an inode number is a directory in use."""
        return 0 <= inode < len(self.directories) and bool(self.directories[inode])


def owners(fs: Ext4) -> Owners:
    """Whose each block is. Where two claim one, the later inode has it.

    :raises FormatError: checksums are wrong, trees are damaged, or the inodes together claim
        more blocks than there are; also with bigalloc, whose free blocks cannot be told.
    """
    free = free_map(fs)
    sheet = _Sheet(fs.superblock)
    are_directories = np.zeros(fs.superblock.inodes_count + 1, np.bool_)
    for inodes in inodes_in_use(fs):
        are_directories[inodes.numbers[inodes.are(stat.S_IFDIR)]] = True
        sheet.enter_xattrs(inodes)
        uses = _uses(fs.superblock, inodes)
        for claim in claims(fs, inodes.chosen(_has_blocks(inodes))):
            sheet.enter(claim, uses[np.searchsorted(inodes.numbers, claim.inodes)])
    sheet.enter_system(fs)
    sheet.use[(sheet.use == BlockUse.FREE) & ~free] = BlockUse.RESERVED
    return Owners(sheet.inode, sheet.use, are_directories)


def paths(fs: Ext4, inodes: set[int]) -> dict[int, str]:
    """The path of each of these inodes that has one: the first found in one walk of the tree."""
    wanted, found = set(inodes), {ROOT_INODE: "/"} if ROOT_INODE in inodes else {}
    wanted -= found.keys()
    for path, number in _names(fs):
        if number in wanted:
            found[number] = path
            wanted.remove(number)
            if not wanted:
                break
    return found


def _names(fs: Ext4) -> Iterator[tuple[str, int]]:
    """Every name in the filesystem with its inode; inodes other than directories' are not read."""
    unseen = directories(fs)
    unseen[ROOT_INODE] = False
    waiting = [("/", ROOT_INODE)]
    while waiting:
        folder, number = waiting.pop()
        for name, child in fs.scan(fs.load(folder, number)):
            path = folder + name
            yield path, child
            if child < len(unseen) and unseen[child]:
                unseen[child] = False
                waiting.append((f"{path}/", child))


class _Sheet:
    """The two columns, while they are filled."""

    def __init__(self, superblock: Superblock) -> None:
        self._superblock = superblock
        self._first = max(1, superblock.first_data_block)
        self._left = superblock.blocks
        self.inode = np.zeros(superblock.blocks, np.uint32)
        self.use = np.zeros(superblock.blocks, np.uint8)

    def enter(self, claim: Claim, uses: NDArray[np.uint8]) -> None:
        """Blocks of inodes; ``uses`` says for each run what its inode keeps there."""
        start, length = claim.runs.start, claim.runs.length
        outside = (start < self._first) | (start + length > self._superblock.blocks)
        if outside.any():
            raise FormatError(f"inode {claim.inodes[outside][0]} has blocks outside the filesystem")
        self._left -= claim.runs.total
        if self._left < 0:
            raise FormatError("the files of this filesystem have more blocks than it has")
        if claim.tree:
            self._refuse_twice(claim.runs.blocks())
            uses = np.full_like(uses, BlockUse.EXTENT_TREE)
        for part in claim.runs.parts(_AT_ONCE):
            blocks = Runs(start[part], length[part]).blocks()
            self.inode[blocks] = np.repeat(claim.inodes[part], length[part])
            self.use[blocks] = np.repeat(uses[part], length[part])

    def enter_xattrs(self, inodes: Inodes) -> None:
        """Blocks of extended attributes, which inodes may share: the first one has it."""
        blocks = inodes.records["acl"].astype(np.int64)
        if self._superblock.incompat & Incompat.wide:
            blocks |= inodes.records["acl_high"].astype(np.int64) << 32
        blocks, which = np.unique(blocks, return_index=True)
        if blocks[-1:] >= self._superblock.blocks:
            raise FormatError(f"inode {inodes.numbers[which[-1]]} has attributes outside")
        new = (blocks >= self._first) & (self.use[blocks] != BlockUse.XATTR)
        self.inode[blocks[new]] = inodes.numbers[which[new]]
        self.use[blocks[new]] = BlockUse.XATTR

    def enter_system(self, fs: Ext4) -> None:
        """The filesystem's own blocks; those reserved for descriptors belong to an inode too."""
        system = system_blocks(fs)
        for runs, use in (
            (system.descriptors, BlockUse.DESCRIPTORS),
            (system.bitmaps, BlockUse.BITMAP),
            (system.inode_tables, BlockUse.INODE_TABLE),
            (system.superblocks, BlockUse.SUPERBLOCK),
        ):
            blocks = runs.blocks()
            self.inode[blocks] = 0
            self.use[blocks] = use
        self.use[system.reserved.blocks()] = BlockUse.RESERVED

    def _refuse_twice(self, blocks: NDArray[np.int64]) -> None:
        again = self.use[blocks] == BlockUse.EXTENT_TREE
        if again.any() or len(np.unique(blocks)) < len(blocks):
            raise FormatError("a block is part of two extent trees or indirect twice")


def _uses(superblock: Superblock, inodes: Inodes) -> NDArray[np.uint8]:
    """What the blocks of each inode are for."""
    uses = np.full(len(inodes.numbers), BlockUse.FILE, np.uint8)
    uses[inodes.are(stat.S_IFDIR)] = BlockUse.DIRECTORY
    uses[inodes.records["flags"] & InodeFlag.EXTENDED_ATTRIBUTE != 0] = BlockUse.XATTR
    first = superblock.first_inode if superblock.revision else _OLD_FIRST_INODE
    hidden = {*range(1, min(first, 64)), superblock.orphan_file_inode}
    hidden |= {superblock.project_quota_inode}
    hidden -= {ROOT_INODE}
    uses[np.isin(inodes.numbers, list(hidden))] = BlockUse.RESERVED
    if superblock.compat & Compat.has_journal:
        uses[inodes.numbers == superblock.journal_inode] = BlockUse.JOURNAL
    return uses


def _has_blocks(inodes: Inodes) -> Bits:
    """Which inodes have block maps where others have a link's target, a device or content."""
    flags = inodes.records["flags"]
    fast = (inodes.records["size"] < _FAST_SYMLINK) & (flags & InodeFlag.EXTENTS == 0)
    links = inodes.are(stat.S_IFLNK) & ~fast
    files = inodes.are(stat.S_IFREG) | inodes.are(stat.S_IFDIR)
    inline = flags & InodeFlag.INLINE_DATA != 0
    return np.asarray((files | links | (inodes.numbers == _BAD_BLOCKS)) & ~inline)
