# SPDX-License-Identifier: Apache-2.0
"""Records of EROFS (``fs/erofs/erofs_fs.h`` of the kernel, and the EROFS documentation)."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from typing import Annotated

from liveos.formats.binary import (
    ByteSource,
    FormatError,
    Record,
    TruncatedError,
    u8,
    u16,
    u32,
    u64,
)
from liveos.formats.compression import codecs
from liveos.formats.crc32c import crc32c

SUPERBLOCK_OFFSET = 1024
MAGIC = 0xE0F5E1E2
SLOT = 32  # inodes are numbered in units of a compact inode
SMALLEST_BLOCK_LOG, LARGEST_BLOCK_LOG = 9, 16


class Compat(IntFlag):
    """Features that other readers may ignore, named as ``dump.erofs`` names them."""

    sb_csum = 0x1
    mtime = 0x2
    xattr_filter = 0x4
    plain_xattr_prefixes = 0x10  # outside of the packed inode


class Incompat(IntFlag):
    """Features without which the filesystem cannot be read; some share a bit with another."""

    zero_padding = 0x1
    compr_cfgs = 0x2
    chunked_file = 0x4
    device_table = 0x8
    ztailpacking = 0x10
    fragments = 0x20
    xattr_prefixes = 0x40
    wide = 0x80  # 48bit
    metabox = 0x100


class Layout(IntEnum):
    """How an inode's data is kept."""

    PLAIN = 0
    COMPRESSED_FULL = 1
    INLINE = 2
    COMPRESSED_COMPACT = 3
    CHUNKS = 4


@dataclass(frozen=True)
class Algorithm:
    """A compressor; ``prefix`` gives the first so many bytes of a cluster."""

    name: str
    prefix: Callable[[bytes, int], bytes]


ALGORITHMS = (
    Algorithm("lz4", codecs.lz4_prefix),
    Algorithm("lzma", codecs.microlzma_prefix),
    Algorithm("deflate", codecs.inflate_prefix),
    Algorithm("zstd", codecs.zstd_prefix),
)


@dataclass(frozen=True)
class Superblock(Record):
    """The superblock, 128 bytes at byte 1024."""

    magic: u32
    checksum: u32
    compat: u32
    block_log: u8
    extra_slots: u8
    root_nid: u16
    inodes: u64
    build_time: u64
    build_nanoseconds: u32
    blocks: u32
    metadata_block: u32
    xattr_block: u32
    uuid_bytes: Annotated[bytes, "16s"]
    volume_name: Annotated[bytes, "16s"]
    incompat: u32
    algorithm_bits: u16
    extra_devices: u16
    device_slot: u16
    directory_block_log: u8
    xattr_prefix_count: u8
    xattr_prefix_start: u32
    packed_nid: u64
    xattr_filter: u8
    reserved: Annotated[bytes, "23s"]

    @property
    def block_size(self) -> int:
        return 1 << self.block_log

    @property
    def size(self) -> int:
        """Bytes of the filesystem."""
        return self.blocks << self.block_log

    @property
    def label(self) -> str:
        """The volume name; empty when there is none."""
        return self.volume_name.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")

    @property
    def uuid(self) -> str:
        return str(uuid.UUID(bytes=self.uuid_bytes))

    @property
    def features(self) -> tuple[str, ...]:
        """The names of all features, as ``dump.erofs`` lists them."""
        return (*_names(Compat, self.compat), *_names(Incompat, self.incompat))

    @property
    def compression(self) -> tuple[str, ...]:
        """The compressors that files may use; empty when nothing is compressed."""
        if self.incompat & Incompat.compr_cfgs:
            bits = enumerate(ALGORITHMS)
            return tuple(one.name for bit, one in bits if self.algorithm_bits >> bit & 1)
        return ("lz4",) if self.incompat & Incompat.zero_padding or self.algorithm_bits else ()

    @classmethod
    def checked(cls, source: ByteSource) -> "Superblock":
        """The superblock of a source, if this module can read what it describes."""
        superblock = cls.read(source, SUPERBLOCK_OFFSET)
        if superblock.magic != MAGIC:
            raise FormatError("not an EROFS image")
        if not SMALLEST_BLOCK_LOG <= superblock.block_log <= LARGEST_BLOCK_LOG:
            raise FormatError(f"an EROFS block size of 2^{superblock.block_log}")
        if superblock.compat & Compat.sb_csum and not superblock.checksum_matches(source):
            raise FormatError("the EROFS superblock does not match its checksum")
        superblock.check_features()
        if superblock.size > source.size:
            raise TruncatedError(
                f"the EROFS image has {superblock.size} bytes, "
                f"of which only {source.size} are there"
            )
        return superblock

    def checksum_matches(self, source: ByteSource) -> bool:
        """Whether the block of the superblock is intact, from the superblock on."""
        size = self.block_size
        if size > SUPERBLOCK_OFFSET:
            size -= SUPERBLOCK_OFFSET
        rest = source.read_at(SUPERBLOCK_OFFSET, size)[self.layout().size :]
        return crc32c(replace(self, checksum=0).pack() + rest) == self.checksum

    def check_features(self) -> None:
        """`FormatError` with the names of features that cannot be read."""
        readable = sum(Incompat) - Incompat.wide - Incompat.metabox
        unreadable = _names(Incompat, self.incompat & ~readable)
        if self.extra_devices:
            unreadable.append("device_table")
        if self.directory_block_log:
            unreadable.append("directory blocks of another size")
        if unreadable:
            raise FormatError(f"EROFS features that cannot be read: {', '.join(unreadable)}")


@dataclass(frozen=True)
class CompactInode(Record):
    """An inode of 32 bytes. ``union`` is a block address, a device or a chunk format."""

    format: u16
    xattr_count: u16
    mode: u16
    links: u16
    size: u32
    mtime: u32
    union: u32
    number: u32
    uid: u16
    gid: u16
    reserved: u32


@dataclass(frozen=True)
class ExtendedInode(Record):
    """An inode of 64 bytes."""

    format: u16
    xattr_count: u16
    mode: u16
    reserved: u16
    size: u64
    union: u32
    number: u32
    uid: u32
    gid: u32
    mtime: u64
    mtime_nanoseconds: u32
    links: u32
    reserved_end: Annotated[bytes, "16s"]


@dataclass(frozen=True)
class DirectoryEntry(Record):
    """One name of a directory block; the names follow all entries."""

    nid: u64
    name_offset: u16
    type: u8
    reserved: u8


@dataclass(frozen=True)
class ChunkIndex(Record):
    """Where a chunk lies; block 0xFFFFFFFF is a hole."""

    advise: u16
    device: u16
    block: u32


@dataclass(frozen=True)
class MapHeader(Record):
    """Begins the map of a compressed file.

    ``tail`` is where the tail lies in the packed inode, or, in its upper half, the size of the
    inline tail.
    """

    tail: u32
    advise: u16
    algorithms: u8
    cluster_bits: u8


@dataclass(frozen=True)
class ClusterIndex(Record):
    """A logical cluster in full form: ``block`` or, for one that is no head, two distances."""

    advise: u16
    offset: u16
    block: u32


_SPELLINGS = {
    "zero_padding": ("lz4_0padding",),
    "compr_cfgs": ("compr_cfgs", "big_pcluster"),
    "fragments": ("fragments", "dedupe"),
    "wide": ("48bit",),
    "plain_xattr_prefixes": ("plain_xattr_pfx",),
}


def _names(kind: type[IntFlag], bits: int) -> list[str]:
    known = {flag.value: flag.name or "" for flag in kind}
    names: list[str] = []
    for bit in (1 << position for position in range(32)):
        if bits & bit:
            name = known.get(bit, f"unknown {bit:#x}")
            names += _SPELLINGS.get(name, (name,))
    return names
