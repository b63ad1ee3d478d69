# SPDX-License-Identifier: Apache-2.0
"""The superblock of ext2, ext3 and ext4 (``fs/ext4/ext4.h`` of the kernel)."""

import uuid
from dataclasses import dataclass, replace
from enum import IntFlag
from typing import Annotated, Self

from liveos.formats.binary import ByteSource, FormatError, Record, u8, u16, u32, u64
from liveos.formats.crc32c import crc32c

SUPERBLOCK_OFFSET = 1024
MAGIC = 0xEF53
OLD_INODE_SIZE = 128
OLD_DESCRIPTOR_SIZE = 32
LARGEST_BLOCK_LOG = 6  # 64 KiB


class Compat(IntFlag):
    """Features that other readers and writers may ignore, named as ``dumpe2fs`` names them."""

    dir_prealloc = 0x1
    imagic_inodes = 0x2
    has_journal = 0x4
    ext_attr = 0x8
    resize_inode = 0x10
    dir_index = 0x20
    lazy_bg = 0x40
    snapshot_bitmap = 0x80
    exclude_bitmap = 0x100
    sparse_super2 = 0x200
    fast_commit = 0x400
    stable_inodes = 0x800
    orphan_file = 0x1000


class Incompat(IntFlag):
    """Features without which the filesystem cannot be read."""

    compression = 0x1
    filetype = 0x2
    needs_recovery = 0x4
    journal_dev = 0x8
    meta_bg = 0x10
    extent = 0x40
    wide = 0x80  # dumpe2fs: 64bit
    mmp = 0x100
    flex_bg = 0x200
    ea_inode = 0x400
    dirdata = 0x1000
    metadata_csum_seed = 0x2000
    large_dir = 0x4000
    inline_data = 0x8000
    encrypt = 0x10000
    casefold = 0x20000


class RoCompat(IntFlag):
    """Features without which the filesystem cannot be written."""

    sparse_super = 0x1
    large_file = 0x2
    btree_dir = 0x4
    huge_file = 0x8
    uninit_bg = 0x10
    dir_nlink = 0x20
    extra_isize = 0x40
    quota = 0x100
    bigalloc = 0x200
    metadata_csum = 0x400
    replica = 0x800
    read_only = 0x1000
    project = 0x2000
    shared_blocks = 0x4000
    verity = 0x8000
    orphan_present = 0x10000


_LETTERS = {"Compat": "C", "Incompat": "I", "RoCompat": "R"}
_SPELLINGS = {"wide": "64bit", "read_only": "read-only"}

# What libblkid takes for ext2 and ext3: anything beyond makes it an ext4.
_EXT2_INCOMPAT = Incompat.filetype | Incompat.meta_bg
_EXT3_INCOMPAT = _EXT2_INCOMPAT | Incompat.needs_recovery
_EXT3_RO_COMPAT = RoCompat.sparse_super | RoCompat.large_file | RoCompat.btree_dir


@dataclass(frozen=True)
class Superblock(Record):
    """The superblock, 1024 bytes at byte 1024."""

    inodes_count: u32
    blocks_count_low: u32
    reserved_blocks_low: u32
    free_blocks_low: u32
    free_inodes: u32
    first_data_block: u32
    log_block_size: u32
    log_cluster_size: u32
    blocks_per_group: u32
    clusters_per_group: u32
    inodes_per_group: u32
    mount_time: u32
    write_time: u32
    mount_count: u16
    most_mounts: u16
    magic: u16
    state: u16
    errors: u16
    minor_revision: u16
    last_check: u32
    check_interval: u32
    creator_os: u32
    revision: u32
    reserved_uid: u16
    reserved_gid: u16
    first_inode: u32
    inode_size_field: u16
    block_group: u16
    compat: u32
    incompat: u32
    ro_compat: u32
    uuid_bytes: Annotated[bytes, "16s"]
    volume_name: Annotated[bytes, "16s"]
    last_mounted_bytes: Annotated[bytes, "64s"]
    algorithms: u32
    preallocate_blocks: u8
    preallocate_directory_blocks: u8
    reserved_descriptor_blocks: u16
    journal_uuid: Annotated[bytes, "16s"]
    journal_inode: u32
    journal_device: u32
    last_orphan: u32
    hash_seed: Annotated[bytes, "16s"]
    hash_version: u8
    journal_backup_type: u8
    descriptor_size_field: u16
    mount_options: u32
    first_meta_group: u32
    mkfs_time: u32
    journal_blocks: Annotated[bytes, "68s"]
    blocks_count_high: u32
    reserved_blocks_high: u32
    free_blocks_high: u32
    least_extra_size: u16
    wanted_extra_size: u16
    flags: u32
    raid_stride: u16
    mmp_interval: u16
    mmp_block: u64
    raid_stripe_width: u32
    log_groups_per_flex: u8
    checksum_type: u8
    padding: u16
    kilobytes_written: u64
    snapshots_and_errors: Annotated[bytes, "192s"]
    user_quota_inode: u32
    group_quota_inode: u32
    overhead_blocks: u32
    first_backup_group: u32
    last_backup_group: u32
    encryption: Annotated[bytes, "20s"]
    lost_and_found_inode: u32
    project_quota_inode: u32
    checksum_seed_field: u32
    high_times_and_encoding: Annotated[bytes, "12s"]
    orphan_file_inode: u32
    reserved: Annotated[bytes, "376s"]
    checksum: u32

    @property
    def block_size(self) -> int:
        return 1024 << self.log_block_size

    @property
    def blocks(self) -> int:
        """Blocks in the filesystem."""
        return self.blocks_count_low | self._high(self.blocks_count_high)

    @property
    def free_blocks(self) -> int:
        """Blocks that hold nothing, reserved ones among them."""
        return self.free_blocks_low | self._high(self.free_blocks_high)

    @property
    def size(self) -> int:
        """Bytes of the filesystem."""
        return self.blocks * self.block_size

    @property
    def used_size(self) -> int:
        """Bytes that are taken by files and by the filesystem itself."""
        return (self.blocks - self.free_blocks) * self.block_size

    @property
    def inode_size(self) -> int:
        return self.inode_size_field if self.revision else OLD_INODE_SIZE

    @property
    def groups(self) -> int:
        """Groups of blocks; the last one may be short."""
        return -(-(self.blocks - self.first_data_block) // self.blocks_per_group)

    @property
    def inode_table_blocks(self) -> int:
        """Blocks that the inodes of one group take."""
        return -(-self.inodes_per_group * self.inode_size // self.block_size)

    @property
    def descriptor_size(self) -> int:
        """Bytes of a group descriptor."""
        if self.incompat & Incompat.wide:
            return max(self.descriptor_size_field, OLD_DESCRIPTOR_SIZE)
        return OLD_DESCRIPTOR_SIZE

    @property
    def label(self) -> str:
        """The volume name; empty when there is none."""
        return _text(self.volume_name)

    @property
    def last_mounted(self) -> str:
        """Where it was mounted last; empty when never."""
        return _text(self.last_mounted_bytes)

    @property
    def uuid(self) -> str:
        return str(uuid.UUID(bytes=self.uuid_bytes))

    @property
    def needs_recovery(self) -> bool:
        """The journal holds changes that are not in place: what is read may be older."""
        return bool(self.incompat & Incompat.needs_recovery)

    @property
    def is_clean(self) -> bool:
        """It was unmounted, and without known errors."""
        return self.state & 3 == 1

    @property
    def features(self) -> tuple[str, ...]:
        """The names of all features, as ``dumpe2fs -h`` lists them."""
        return (
            *feature_names(Compat, self.compat),
            *feature_names(Incompat, self.incompat),
            *feature_names(RoCompat, self.ro_compat),
        )

    @property
    def filesystem(self) -> str:
        """ext2, ext3, ext4 or jbd, by the rules of libblkid."""
        if self.incompat & Incompat.journal_dev:
            return "jbd"
        has_journal = self.compat & Compat.has_journal
        known = _EXT3_INCOMPAT if has_journal else _EXT2_INCOMPAT
        if self.incompat & ~known or self.ro_compat & ~_EXT3_RO_COMPAT:
            return "ext4"
        return "ext3" if has_journal else "ext2"

    @property
    def checksum_seed(self) -> int:
        """What the checksums of all other metadata start with (feature metadata_csum)."""
        if self.incompat & Incompat.metadata_csum_seed:
            return self.checksum_seed_field
        return crc32c(self.uuid_bytes)

    @property
    def checksum_matches(self) -> bool | None:
        """Whether the superblock is intact; None when it has no checksum."""
        if not self.ro_compat & RoCompat.metadata_csum:
            return None
        return crc32c(self.pack()[:-4]) == self.checksum

    def sealed(self) -> Self:
        """The same with the checksum that its fields have, where the filesystem keeps one."""
        if not self.ro_compat & RoCompat.metadata_csum:
            return self
        return replace(self, checksum=crc32c(self.pack()[:-4]))

    @classmethod
    def checked(cls, source: ByteSource) -> "Superblock":
        """The superblock of a source; `FormatError` when it makes no sense."""
        superblock = cls.read(source, SUPERBLOCK_OFFSET)
        if superblock.magic != MAGIC:
            raise FormatError("not an ext2, ext3 or ext4 filesystem")
        if superblock.checksum_matches is False:
            raise FormatError("the ext4 superblock does not match its checksum")
        superblock.check_geometry()
        return superblock

    def check_geometry(self) -> None:
        """`FormatError` when block, inode or group sizes are impossible."""
        inode_size = self.inode_size
        if (
            self.log_block_size > LARGEST_BLOCK_LOG
            or not OLD_INODE_SIZE <= inode_size <= self.block_size
            or inode_size & (inode_size - 1)
            or self.descriptor_size > self.block_size
            or 0 in {self.blocks_per_group, self.inodes_per_group}
            or self.free_blocks > self.blocks
        ):
            raise FormatError("the ext4 superblock describes an impossible layout")

    def _high(self, word: int) -> int:
        return word << 32 if self.incompat & Incompat.wide else 0


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def feature_names(kind: type[IntFlag], bits: int) -> list[str]:
    """Names of the features in one of the three words, as e2fsprogs spells them."""
    known = {flag.value: flag.name or "" for flag in kind}
    letter = _LETTERS[kind.__name__]
    names = []
    for position in range(32):
        if bits >> position & 1:
            name = known.get(1 << position, f"FEATURE_{letter}{position}")
            names.append(_SPELLINGS.get(name, name))
    return names
