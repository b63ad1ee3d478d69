# SPDX-License-Identifier: Apache-2.0
"""Whether a store belongs to the root that it is read with, and whether it is in use (P1, P2).

Nothing in a store names its origin. But ext4 rewrites its superblock on every mount, so that a
store which has been written to nearly always holds one, to be compared with the origin's.
"""

from contextlib import suppress
from dataclasses import replace

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store import Duplicates, ExceptionStore, MergedView
from liveos.formats.ext4.superblock import SUPERBLOCK_OFFSET, Superblock
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.host.use import use_of
from liveos.report import Finding, Severity

_SUPERBLOCK_END = SUPERBLOCK_OFFSET + 1024
_OTHER_ROOT = "give the root that it was made with as --origin; do not repair it with this one"


def pairing_fault(
    store: ExceptionStore, store_source: ByteSource, origin: ByteSource
) -> Finding | None:
    """P1: what shows that the store was made over another root; None when nothing does.

    Only roots of ext2, ext3 and ext4 can be compared.
    """
    with suppress(FormatError):
        below = Superblock.checked(origin)
        with suppress(FormatError):
            return _compared(_first_bytes(store, store_source, origin), below)
    return None


def use_fault(place: FolderFile) -> Finding | None:
    """P2: what the overlay's file is used by at the moment."""
    folder = place.folder
    if not isinstance(folder, HostFolder):
        return None
    use = use_of(folder.directory / place.name)
    if use is None:
        return None
    message = f"it is in use: {use}; what is read here may be between two states"
    return Finding("P2", Severity.INFO, message, "shut that system down before changing anything")


def _first_bytes(store: ExceptionStore, store_source: ByteSource, origin: ByteSource) -> ByteSource:
    """The view, of which only the chunks with the superblock can be relied on.

    Where kernels differ, the superblocks of both records are of the same filesystem.
    """
    first = store.old < -(-_SUPERBLOCK_END // store.geometry.chunk_size)
    part = replace(store, old=store.old[first], new=store.new[first])
    return MergedView(origin, part, store_source, duplicates=Duplicates.LAST)


def _compared(view: ByteSource, below: Superblock) -> Finding | None:
    above = Superblock.read(view, SUPERBLOCK_OFFSET)
    if above.magic != below.magic:
        return _other_root("it has other bytes where the root has its ext4 superblock")
    if _birth(above) != _birth(below) and above.uuid_bytes != below.uuid_bytes:
        return _other_root(f"it belongs to the filesystem {above.uuid}, the root is {below.uuid}")
    if _shape(above) != _shape(below):
        return _other_root(
            f"its filesystem has {above.blocks} blocks of {above.block_size} bytes and"
            f" {above.inodes_count} inodes, the root {below.blocks} of {below.block_size} and"
            f" {below.inodes_count}"
        )
    return None


def _birth(superblock: Superblock) -> tuple[int, bytes]:
    """What ``mke2fs`` chose at random or by the clock; ``tune2fs -U`` leaves it as it is."""
    return superblock.mkfs_time, superblock.hash_seed


def _shape(superblock: Superblock) -> tuple[int, ...]:
    """What no running system changes: a snapshot device cannot grow."""
    return (
        superblock.blocks,
        superblock.block_size,
        superblock.inodes_count,
        superblock.inode_size,
        superblock.first_inode,
        superblock.blocks_per_group,
    )


def _other_root(reason: str) -> Finding:
    message = f"it was made over another root: {reason}; what would be shown is a mixture"
    return Finding("P1", Severity.FATAL, message, _OTHER_ROOT)
