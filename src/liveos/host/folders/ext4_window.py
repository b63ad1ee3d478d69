# SPDX-License-Identifier: Apache-2.0
"""The bytes of an unmounted ext4, brought to where it may be changed: replayed, whole, known."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from liveos.errors import RefusedError, UnsupportedError
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.replay import RecoveredSource, recover
from liveos.formats.ext4.superblock import (
    SUPERBLOCK_OFFSET,
    Compat,
    Incompat,
    RoCompat,
    Superblock,
    feature_names,
)
from liveos.formats.ext4.transaction import with_checksum
from liveos.host import disk
from liveos.host.folders.folder import DescriptorFile, StoredFile
from liveos.host.volumes import Ext4Volume

_EDITABLE = Incompat.filetype | Incompat.extent | Incompat.wide | Incompat.meta_bg
_EDITABLE |= Incompat.flex_bg | Incompat.metadata_csum_seed | Incompat.large_dir
_EDITABLE_RO = RoCompat.sparse_super | RoCompat.large_file | RoCompat.btree_dir
_EDITABLE_RO |= RoCompat.huge_file | RoCompat.uninit_bg | RoCompat.dir_nlink
_EDITABLE_RO |= RoCompat.extra_isize | RoCompat.metadata_csum | RoCompat.verity


@contextmanager
def window(volume: Ext4Volume) -> Iterator[DescriptorFile]:
    """The bytes of a volume, for reading and writing, with its journal replayed on the disk.

    :raises RefusedError: the filesystem has errors that only e2fsck can mend.
    """
    with disk.opened(volume.path) as descriptor:
        found = DescriptorFile(descriptor, volume.size, volume.offset)
        replay(found, volume)
        yield found


def replay(found: StoredFile, volume: Ext4Volume) -> None:
    """Write home what the journal holds, and empty it; nothing happens where nothing is held.

    The log counts until all it holds is in place: first the blocks, among them the superblock
    with its mark that it needs recovery, then the journal's superblock, then that mark. A power
    cut in between leaves a filesystem that the next recovery makes the same.
    """
    recovered = recover(found)
    if recovered.corrupt_transaction is not None:
        raise _needs_check(volume, "its journal is damaged")
    if not recovered.replayed:
        return
    size = recovered.block_size
    marked_block = SUPERBLOCK_OFFSET // size
    journal_block = _journal_block(recovered)
    for block in recovered.changed_blocks.tolist():
        if block not in {marked_block, journal_block}:
            found.write_at(block * size, recovered.read_at(block * size, size))
    superblock = Superblock.checked(recovered)
    marked = replace(superblock, incompat=superblock.incompat | Incompat.needs_recovery).sealed()
    # With the checksum that is there now, it changes in one of its two sectors only.
    checksum = Superblock.checked(found).checksum
    found.write_at(SUPERBLOCK_OFFSET, with_checksum(marked, checksum).pack())
    found.flush()
    found.write_at(journal_block * size, recovered.read_at(journal_block * size, size))
    found.flush()
    found.write_at(SUPERBLOCK_OFFSET, with_checksum(superblock, checksum).pack())
    found.flush()


def require_changeable(fs: Ext4, volume: Ext4Volume) -> None:
    """Refuse to change the metadata of filesystems that we would not leave as they should be.

    :raises UnsupportedError: a feature is in use that debugfs does not keep up, or there is no
        journal to make a change at once in.
    :raises RefusedError: only e2fsck can say what is right in it.
    """
    superblock = fs.superblock
    require_known_features(fs, volume.path)
    if not superblock.compat & Compat.has_journal or not superblock.journal_inode:
        raise UnsupportedError(
            f"the ext4 in {volume.path} has no journal of its own, without which a power cut could "
            "halve a change",
            hint="give it one with tune2fs -j, or mount it, and name the file there",
        )
    if not superblock.is_clean:
        raise _needs_check(volume, "it is marked as having errors")
    if superblock.last_orphan:
        raise _needs_check(volume, "files that were being deleted are left in it")


def require_known_features(fs: Ext4, place: object) -> None:
    """:raises UnsupportedError: a feature is in use that debugfs does not keep up."""
    superblock = fs.superblock
    names = feature_names(Incompat, superblock.incompat & ~int(_EDITABLE))
    names += feature_names(RoCompat, superblock.ro_compat & ~int(_EDITABLE_RO))
    if names:
        raise UnsupportedError(
            f"files of {place} cannot be changed from outside: ext4 with {' '.join(names)}",
            hint="mount it, and name the file there",
        )


def _journal_block(recovered: RecoveredSource) -> int:
    """Where the journal, and with it its superblock, begins."""
    fs = Ext4(recovered)
    first = fs.extents(fs.load("(journal)", fs.superblock.journal_inode))[0]
    assert first.offset is not None  # it was read from there
    return first.offset // recovered.block_size


def _needs_check(volume: Ext4Volume, why: str) -> RefusedError:
    return RefusedError(
        f"the ext4 in {volume.path} must be checked first: {why}",
        hint=f"run: e2fsck -f '{volume}'",
    )
