# SPDX-License-Identifier: Apache-2.0
"""A draft of an ext4: a sparse file with its metadata, which debugfs changes instead of it.

debugfs writes in any order, so it never gets to see the real filesystem. What it has changed in
the draft is put there in two parts (`edit`): blocks that nothing uses yet, contents of files
among them, where nobody would see them; then, as one transaction of the journal, the blocks that
make all of it count. So any number of files appears, or goes, at once.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liveos.errors import UnsupportedError
from liveos.formats.binary import ByteSink
from liveos.formats.ext4.groups import free_map, system_blocks, used_inodes
from liveos.formats.ext4.layout import descriptor_blocks
from liveos.formats.ext4.owners import BlockUse, owners
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.superblock import SUPERBLOCK_OFFSET, RoCompat
from liveos.formats.ext4.transaction import TransactionTooLargeError, write_transaction
from liveos.host import disk, ext4
from liveos.host.folders.ext4_scratch import blocks_with_data
from liveos.host.folders.ext4_window import require_changeable, window
from liveos.host.memory_file import memory_file
from liveos.host.tools import DEBUGFS, Command
from liveos.host.volumes import Ext4Volume

Blocks = NDArray[np.bool_]
_NOT_COPIED = (BlockUse.FREE, BlockUse.FILE, BlockUse.JOURNAL, BlockUse.RESERVED)


@dataclass(frozen=True, eq=False)
class Draft:
    """The draft of ``original`` in the file ``path``; ``known`` are the blocks that it has."""

    original: Ext4
    path: Path
    known: Blocks

    @classmethod
    def of(cls, original: Ext4, path: Path) -> "Draft":
        """Fill a file, which is empty, with what debugfs may look at."""
        draft = cls(original, path, _needed(original))
        size = original.superblock.block_size
        with disk.opened(path, os.O_RDWR) as descriptor:
            os.ftruncate(descriptor, original.superblock.size)
            for block in np.flatnonzero(draft.known).tolist():
                data = original.source.read_at(block * size, size)
                disk.write_all(descriptor, block * size, data)
        return draft

    def run(self, lines: Iterable[str]) -> str:
        """Let debugfs do this; what it has printed."""
        return ext4.debugfs(Command(DEBUGFS, ("-w", "-f", "-", str(self.path))), lines)

    def write_at(self, offset: int, data: bytes) -> None:
        """Put contents of files into the draft itself."""
        size = self.original.superblock.block_size
        self.known[offset // size : -(-(offset + len(data)) // size)] = True
        with disk.opened(self.path, os.O_RDWR) as descriptor:
            disk.write_all(descriptor, offset, data)

    def flush(self) -> None:
        """Nothing here need outlive a power cut."""

    def changed(self) -> NDArray[np.int64]:
        """The blocks that differ from the original.

        Blocks that were not copied and are zero here do not count: they are free inodes, or free.
        """
        size, source = self.original.superblock.block_size, self.original.source
        found = []
        with disk.opened(self.path, os.O_RDONLY) as descriptor:
            written = np.fromiter(blocks_with_data(descriptor, size), np.int64)
            for block in np.union1d(written, np.flatnonzero(self.known)).tolist():
                data = os.pread(descriptor, size, block * size)
                unknown = not self.known[block] and not any(data)
                if not unknown and data != source.read_at(block * size, size):
                    found.append(block)
        return np.array(found, np.int64)

    def read(self, block: int) -> bytes:
        """What a block is in the draft."""
        size = self.original.superblock.block_size
        with disk.opened(self.path, os.O_RDONLY) as descriptor:
            return os.pread(descriptor, size, block * size)


def edit(volume: Ext4Volume, work: Callable[[Draft, ByteSink], None]) -> None:
    """Change an unmounted ext4 at once: ``work`` changes the draft, and writes contents of files.

    Contents go straight to the filesystem's bytes, to blocks that were free before. A power cut
    leaves the filesystem as it was, or with all that was changed.

    :raises UnsupportedError: there is more to change than the journal can take at once.
    """
    with window(volume) as found:
        original = Ext4(found)
        require_changeable(original, volume)
        with memory_file("ext4-draft") as file:
            draft = Draft.of(original, file.path)
            work(draft, found)
            free = free_map(original)
            changed = _without_backups(original, draft.changed())
            _require_known_use(draft, free, changed)
            unseen = (free | _never_used_inodes(original))[changed]
            size = original.superblock.block_size
            for block in changed[unseen].tolist():
                found.write_at(block * size, draft.read(block))
            found.flush()
            home = {block: draft.read(block) for block in changed[~unseen].tolist()}
        try:
            write_transaction(found, found, home)
        except TransactionTooLargeError as error:
            raise UnsupportedError(
                f"so many files cannot be changed at once in {volume.path}: {error}",
                hint="nothing has been changed; an overlay in an image file has no such limit",
            ) from error


def _needed(fs: Ext4) -> Blocks:
    """The blocks that debugfs may look at: metadata, but of inode tables only what is in use."""
    whose = owners(fs)
    wanted = np.asarray(~np.isin(whose.use, _NOT_COPIED))
    wanted[whose.use == BlockUse.INODE_TABLE] = False
    per_block = fs.superblock.block_size // fs.superblock.inode_size
    numbers = np.flatnonzero(used_inodes(fs))
    groups, places = np.divmod(numbers, fs.superblock.inodes_per_group)
    wanted[fs.descriptors.inode_table.astype(np.int64)[groups] + places // per_block] = True
    wanted[_backups(fs)] = False
    return wanted


def _never_used_inodes(fs: Ext4) -> Blocks:
    """Blocks of inode tables behind those that were ever in use: nobody looks there, nor e2fsck.

    Their descriptors say so (``bg_itable_unused``), where these have checksums.
    """
    blocks = np.zeros(fs.superblock.blocks, np.bool_)
    per_block = fs.superblock.block_size // fs.superblock.inode_size
    used = fs.superblock.inodes_per_group - fs.descriptors.unused_inodes
    first = -(-used // per_block)
    for table, start in zip(fs.descriptors.inode_table.tolist(), first.tolist(), strict=True):
        blocks[table + start : table + fs.superblock.inode_table_blocks] = True
    has_sums = fs.superblock.ro_compat & (RoCompat.uninit_bg | RoCompat.metadata_csum)
    return blocks if has_sums else np.zeros_like(blocks)


def _backups(fs: Ext4) -> NDArray[np.int64]:
    """Copies of superblock and descriptors, which only e2fsck looks at, and the kernel leaves."""
    system = system_blocks(fs)
    copies = np.concatenate((system.superblocks.blocks(), system.descriptors.blocks()))
    first = SUPERBLOCK_OFFSET // fs.superblock.block_size
    return np.setdiff1d(copies, [first, *descriptor_blocks(fs.superblock).tolist()])


def _without_backups(fs: Ext4, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    return blocks[~np.isin(blocks, _backups(fs))]


def _require_known_use(draft: Draft, free: Blocks, changed: NDArray[np.int64]) -> None:
    """:raises UnsupportedError: something was changed that the draft knows nothing of."""
    unused_inodes = np.zeros(len(free), np.bool_)
    unused_inodes[system_blocks(draft.original).inode_tables.blocks()] = True
    strange = changed[~(draft.known | free | unused_inodes)[changed]]
    if len(strange):
        raise UnsupportedError(
            f"changing this ext4 would touch block {strange[0]}, which is of unknown use",
            hint="check it with e2fsck -f",
        )
