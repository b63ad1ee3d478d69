# SPDX-License-Identifier: Apache-2.0
"""The metadata of an ext4 in a file of memory, where e2fsprogs can work on them.

e2fsck and resize2fs look at everything but the contents of files. So they can work on an outline
of a filesystem that they could not reach themselves (inside another filesystem, or encrypted),
without its contents being copied, or shown, anywhere. The contents are then found by comparing
where the files lie before and after.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from liveos.errors import RefusedError, UnsupportedError
from liveos.formats.ext4.block_claims import claims
from liveos.formats.ext4.groups import checked_descriptors, used_inodes
from liveos.formats.ext4.inode_tables import inodes_in_use
from liveos.formats.ext4.journal_file import open_journal
from liveos.formats.ext4.owners import BlockUse, owners
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.records import InodeFlag
from liveos.formats.tree import FileKind, Node
from liveos.host import disk
from liveos.host.memory_file import MemoryFile, memory_file
from liveos.host.run import run
from liveos.host.tools import E2FSCK, RESIZE2FS, Command

Bits = NDArray[np.bool_]


@contextmanager
def outline(fs: Ext4) -> Iterator[MemoryFile]:
    """The metadata of a filesystem that needs no recovery, checked by e2fsck.

    What a power cut leaves, such as files that were deleted while open, is cleared in there.

    :raises RefusedError: it has errors.
    """
    size = fs.superblock.block_size
    with memory_file("ext4-outline", size=fs.superblock.size) as file:
        for block in np.flatnonzero(metadata(fs)).tolist():
            disk.write_all(file.descriptor, block * size, fs.source.read_at(block * size, size))
        done = run(Command(E2FSCK, ("-f", "-p", str(file.path)), frozenset({0, 1, 4})))
        if done.status not in {0, 1}:
            raise RefusedError(
                f"the ext4 has errors: {done.text.strip().splitlines()[0]}",
                hint="start the image and check its home with e2fsck; nothing was changed",
            )
        yield file


def least_size(file: MemoryFile, block_size: int) -> int:
    """The smallest size, in bytes, that resize2fs thinks possible."""
    said = run(Command(RESIZE2FS, ("-P", str(file.path)))).text
    number = said.rpartition(":")[2].strip()
    if not number.isdigit():
        raise UnsupportedError(f"resize2fs does not tell the least size: {said.strip()!r}")
    return int(number) * block_size


def resize(file: MemoryFile, size: int) -> None:
    """Give the filesystem in an outline another size, in bytes, whole KiB."""
    if size > os.fstat(file.descriptor).st_size:
        os.ftruncate(file.descriptor, size)
    run(Command(RESIZE2FS, ("-f", str(file.path), f"{size // 1024}K")))
    os.ftruncate(file.descriptor, size)
    run(Command(E2FSCK, ("-f", "-n", str(file.path))))


def metadata(fs: Ext4) -> Bits:
    """For each block, whether e2fsprogs would look at it; inode tables as far as they are in use.

    Links whose target has a block are looked at, too, and of the journal the beginning.
    """
    use = owners(fs).use
    found = (use != BlockUse.FREE) & (use != BlockUse.FILE) & (use != BlockUse.JOURNAL)
    found[use == BlockUse.INODE_TABLE] = False
    found[_tables_in_use(fs)] = True
    for inodes in inodes_in_use(fs):
        links = inodes.are(stat.S_IFLNK) & (inodes.records["flags"] & InodeFlag.EXTENTS != 0)
        for claim in claims(fs, inodes.chosen(links)):
            found[claim.runs.blocks()] = True
    journal = open_journal(fs.source, fs.superblock)
    if journal is not None:
        found[journal.superblock_offset // fs.superblock.block_size] = True
    return np.asarray(found)


def _tables_in_use(fs: Ext4) -> NDArray[np.int64]:
    """The blocks of inode tables that have inodes in use."""
    superblock = fs.superblock
    per_block = superblock.block_size // superblock.inode_size
    used = used_inodes(fs).reshape(-1, superblock.inodes_per_group)
    padding = -superblock.inodes_per_group % per_block
    blocks = np.pad(used, ((0, 0), (0, padding))).reshape(len(used), -1, per_block).any(axis=2)
    groups, within = np.nonzero(blocks)
    tables = checked_descriptors(fs).inode_table.astype(np.int64)
    return np.asarray(tables[groups] + within)


def moved(old: Ext4, new: Ext4) -> Iterator[tuple[int, int, int]]:
    """(old offset, new offset, length) in bytes of all contents of files, in whole blocks.

    :raises UnsupportedError: the trees differ.
    """
    seen: set[int] = set()
    for before, after in zip_longest(_nodes(old), _nodes(new)):
        if before is None or after is None or before.path != after.path:
            raise UnsupportedError("the directories are not what they were, after resizing")
        if after.number not in seen:
            seen.add(after.number)
            yield from _pairs(_written(old, before), _written(new, after))


def _nodes(fs: Ext4) -> Iterator[Node]:
    """All but the directory that e2fsck makes where it is missing."""
    return (node for node in fs.walk() if node.path != "/lost+found")


def _written(fs: Ext4, node: Node) -> list[tuple[int, int]]:
    """(offset, length) of a file's written blocks, in the order of the file."""
    if node.kind not in {FileKind.FILE, FileKind.SYMLINK}:
        return []
    # Without extents, a link's target and small contents lie in the inode.
    if node.kind is FileKind.SYMLINK and not node.handle.flags & InodeFlag.EXTENTS:
        return []
    if node.handle.flags & InodeFlag.INLINE_DATA:
        return []
    size = fs.superblock.block_size
    return [
        (extent.offset, -(-extent.length // size) * size)
        for extent in fs.extents(node)
        if extent.offset is not None
    ]


def _pairs(
    old: list[tuple[int, int]], new: list[tuple[int, int]]
) -> Iterator[tuple[int, int, int]]:
    """The pieces that two lists of extents have in common, one after the other."""
    if sum(length for _, length in old) != sum(length for _, length in new):
        raise UnsupportedError("a file has another size after resizing")
    targets = iter(new)
    target, room = 0, 0
    for offset, length in old:
        while length:
            if not room:
                target, room = next(targets)
            part = min(length, room)
            yield offset, target, part
            offset, target = offset + part, target + part  # noqa: PLW2901 - what is left of it
            length, room = length - part, room - part  # noqa: PLW2901 - likewise
