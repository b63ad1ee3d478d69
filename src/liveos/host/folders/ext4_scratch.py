# SPDX-License-Identifier: Apache-2.0
"""Metadata of an unmounted ext4 changed in one step that a power cut cannot halve.

debugfs knows how to change an ext4, but it writes in any order. So it works on a scratch: a
sparse file in memory, with copies of the metadata that the change may need. What differs
afterwards is written to the real filesystem as one transaction of its own journal.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liveos.errors import UnsupportedError
from liveos.formats.ext4.attributes import xattr_block
from liveos.formats.ext4.blocks import extent_tree_runs, indirect_runs
from liveos.formats.ext4.groups import free_map, system_blocks, used_inodes
from liveos.formats.ext4.layout import descriptor_blocks
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.records import ROOT_INODE, Inode, InodeFlag
from liveos.formats.ext4.superblock import SUPERBLOCK_OFFSET, Incompat
from liveos.formats.ext4.transaction import TransactionTooLargeError, write_transaction
from liveos.formats.tree import FileKind, Node
from liveos.host import disk
from liveos.host.ext4 import debugfs
from liveos.host.folders.folder import StoredFile
from liveos.host.tools import DEBUGFS, Command

Blocks = NDArray[np.int64]
_MOST_TREE_BLOCKS = 1 << 32  # logical blocks of the largest file


@dataclass(frozen=True)
class Change:
    """What is to become of a filesystem at once.

    ``lines`` are commands for debugfs, ``nodes`` the files that they name. ``also`` are blocks
    with their new bytes. ``judge`` sees what debugfs has printed, and raises when it is not well.
    """

    lines: Sequence[str]
    nodes: Sequence[Node] = ()
    also: Mapping[int, bytes] = field(default_factory=dict)
    judge: Callable[[str], None] | None = None


def apply(change: Change, window: StoredFile, on_the_way: Sequence[Node]) -> str:
    """Make a change as one transaction; what debugfs has printed.

    :param window: the bytes of a filesystem that needs no recovery.
    :param on_the_way: the directories that lead to the files.
    :raises NoSpaceError: the filesystem is full; nothing has been written.
    """
    fs = Ext4(window)
    copied = _needed(fs, (*on_the_way, *change.nodes))
    with _scratch(fs, copied) as path:
        said = debugfs(Command(DEBUGFS, ("-w", "-f", "-", str(path))), change.lines)
        blocks = dict(_changed(fs, copied, path))
    if change.judge is not None:
        change.judge(said)
    blocks.update(change.also)
    try:
        write_transaction(window, window, blocks)
    except TransactionTooLargeError as error:
        raise UnsupportedError(
            f"the journal of this ext4 is too small for the change: {error}",
            hint="mount the filesystem, and name the file there",
        ) from error
    return said


def _needed(fs: Ext4, nodes: Iterable[Node]) -> Blocks:
    """The blocks that debugfs may look at, in order."""
    system = fs.descriptors
    blocks = {SUPERBLOCK_OFFSET // fs.superblock.block_size, *_new_inodes(fs)}
    blocks.update(descriptor_blocks(fs.superblock).tolist())
    # Those that were never written, too: they are when the first block of their group is taken.
    blocks.update(system.block_bitmap.tolist())
    blocks.update(system.inode_bitmap.tolist())
    blocks.add(fs.inode_place(ROOT_INODE)[0])
    for node in nodes:
        blocks.add(fs.inode_place(node.number)[0])
        # Its inode as it is now: an earlier change may have made the tree of extents grow.
        blocks.update(_of_node(fs, fs.load(node.path, node.number)))
    return np.array(sorted(blocks), np.int64)


def _new_inodes(fs: Ext4) -> Iterator[int]:
    """The block of the first free inode of each group: new files get one of these."""
    superblock = fs.superblock
    used = used_inodes(fs)
    used[: superblock.first_inode - 1] = True
    per_group = superblock.inodes_per_group
    for start in range(0, len(used), per_group):
        free = np.flatnonzero(~used[start : start + per_group])
        if len(free):
            yield fs.inode_place(start + int(free[0]) + 1)[0]


def _of_node(fs: Ext4, node: Node) -> Iterator[int]:
    """Blocks that say where a file's content lies; for a directory, the content, too."""
    inode: Inode = node.handle
    seen: list[int] = []

    def read_block(number: int) -> bytes:
        seen.append(number)
        return fs.block(number)

    if inode.flags & InodeFlag.EXTENTS:
        runs = list(extent_tree_runs(read_block, inode.block, _MOST_TREE_BLOCKS))
    else:
        count, size = -(-node.size // fs.superblock.block_size), fs.superblock.block_size
        runs = list(indirect_runs(read_block, inode.block, count, size))
    yield from seen
    if node.kind is FileKind.DIRECTORY:
        for run in runs:
            if run.physical is not None:
                yield from range(run.physical, run.physical + run.length)
    xattrs = xattr_block(inode, wide=bool(fs.superblock.incompat & Incompat.wide))
    if xattrs:
        yield xattrs


@contextmanager
def _scratch(fs: Ext4, blocks: Blocks) -> Iterator[Path]:
    """A sparse file in memory, of the filesystem's size, that has these blocks and no others."""
    size = fs.superblock.block_size
    descriptor = os.memfd_create("ext4-scratch")
    try:
        os.ftruncate(descriptor, fs.superblock.size)
        for block in blocks.tolist():
            disk.write_all(descriptor, block * size, fs.source.read_at(block * size, size))
        yield Path(f"/proc/{os.getpid()}/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _changed(fs: Ext4, copied: Blocks, path: Path) -> Iterator[tuple[int, bytes]]:
    """The blocks that differ from the filesystem, but for backups of superblock and descriptors.

    Those are for e2fsck alone, and the kernel does not keep them up either. Whatever else debugfs
    has written must have been copied or free; the scratch does not know what the rest holds.
    """
    size = fs.superblock.block_size
    system = system_blocks(fs)
    backups = {*system.superblocks.blocks().tolist(), *system.descriptors.blocks().tolist()}
    known = set(copied.tolist())
    backups -= known
    free = cache(lambda: free_map(fs))  # seldom asked, and not cheap
    with disk.opened(path, os.O_RDONLY) as descriptor:
        for block in blocks_with_data(descriptor, size):
            data = os.pread(descriptor, size, block * size)
            if block in backups or (block not in known and not any(data)):
                continue
            if data == fs.source.read_at(block * size, size):
                continue
            if block not in known and not free()[block]:
                raise UnsupportedError(
                    f"changing this ext4 would touch block {block}, which is of unknown use",
                    hint="check it with e2fsck -f, or mount it and name the file there",
                )
            yield block, data


def blocks_with_data(descriptor: int, size: int) -> Iterator[int]:
    """Blocks of a sparse file that are not holes (SEEK_DATA of lseek(2))."""
    end = os.lseek(descriptor, 0, os.SEEK_END)
    position = 0
    while position < end:
        try:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError:  # ENXIO: no data up to the end
            return
        position = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield from range(start // size, -(-position // size))
