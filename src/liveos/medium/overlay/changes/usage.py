# SPDX-License-Identifier: Apache-2.0
"""What fills an overlay, largest first."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from liveos.formats.ext4.owners import BlockUse, Owners
from liveos.medium.overlay.changes.model import Usage, Use
from liveos.medium.overlay.changes.names import Names

_USES = {
    BlockUse.FREE: Use.FREED,
    BlockUse.FILE: Use.FILE,
    BlockUse.DIRECTORY: Use.DIRECTORIES,
    BlockUse.XATTR: Use.XATTRS,
    BlockUse.EXTENT_TREE: Use.EXTENTS,
    BlockUse.JOURNAL: Use.JOURNAL,
    BlockUse.INODE_TABLE: Use.INODES,
    BlockUse.BITMAP: Use.BITMAPS,
    BlockUse.SUPERBLOCK: Use.SUPERBLOCKS,
    BlockUse.DESCRIPTORS: Use.SUPERBLOCKS,
    BlockUse.RESERVED: Use.RESERVED,
}
_PHRASES = {
    Use.UNLINKED: "(files deleted while open)",
    Use.FREED: "(freed: deleted files, still held)",
    Use.DIRECTORIES: "(directories)",
    Use.XATTRS: "(extended attributes)",
    Use.EXTENTS: "(block maps of files)",
    Use.JOURNAL: "(journal)",
    Use.INODES: "(inode tables)",
    Use.BITMAPS: "(bitmaps)",
    Use.SUPERBLOCKS: "(superblock and group descriptors)",
    Use.RESERVED: "(reserved by the filesystem)",
    Use.OUTSIDE: "(outside of the filesystem)",
}


def store_usage(
    names: Names, owners: Owners, chunks: NDArray[np.integer], chunk_size: int, block_size: int
) -> tuple[Usage, ...]:
    """Whose the chunks of a store are, by what the filesystem uses their blocks for.

    ``chunks`` are those of the origin that the store holds, each as often as it is held. The
    sizes add up to what all of them take; a chunk of several blocks counts for each in part. A
    file with several names goes by one of them.
    """
    sizes, inodes = _by_owner(owners, chunks, chunk_size, block_size)
    found = []
    for inode, size in inodes.items():
        path = next(names.paths(inode), None)
        if path is None:
            sizes[Use.UNLINKED] += size
        else:
            found.append(Usage(path, size, Use.FILE))
    found += (Usage(_PHRASES[use], size, use) for use, size in sizes.items() if size)
    return largest_first(found)


def largest_first(usage: Iterable[Usage]) -> tuple[Usage, ...]:
    """In order of size, and of path where sizes are equal."""
    return tuple(sorted(usage, key=lambda each: (-each.size, each.path)))


def _by_owner(
    owners: Owners, chunks: NDArray[np.integer], chunk_size: int, block_size: int
) -> tuple[Counter[Use], dict[int, int]]:
    """Bytes of each use but files, and of each file's inode."""
    steps = max(1, chunk_size // block_size)
    end = -(-len(owners.use) * block_size // chunk_size)  # a record may name any chunk
    first = np.minimum(chunks, end).astype(np.int64) * chunk_size // block_size
    sizes: Counter[Use] = Counter()
    inodes: Counter[int] = Counter()
    for step in range(steps):
        blocks = first + step
        inside = blocks[blocks < len(owners.use)]
        piece = chunk_size // steps
        sizes[Use.OUTSIDE] += (len(blocks) - len(inside)) * piece
        uses = owners.use[inside]
        for use, count in zip(*np.unique(uses, return_counts=True), strict=True):
            sizes[_USES[BlockUse(use)]] += int(count) * piece
        numbers = owners.inode[inside[uses == BlockUse.FILE]]
        for inode, count in zip(*np.unique(numbers, return_counts=True), strict=True):
            inodes[int(inode)] += int(count) * piece
    del sizes[Use.FILE]
    return sizes, inodes
