# SPDX-License-Identifier: Apache-2.0
"""Records of squashfs 4.0, little-endian (``fs/squashfs/squashfs_fs.h`` of the kernel)."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Annotated

from liveos.formats.binary import ByteSource, FormatError, Record, TruncatedError, u16, u32, u64
from liveos.formats.compression import codecs
from liveos.formats.compression.codecs import Codec

MAGIC = b"hsqs"
METADATA_SIZE = 8192  # what a metadata block holds when decompressed
NO_FRAGMENT = 0xFFFFFFFF
STORED_DATA = 1 << 24  # in a data block's size: kept as it is, not compressed
STORED_METADATA = 1 << 15
SMALLEST_BLOCK_LOG, LARGEST_BLOCK_LOG = 12, 20

_FOREIGN = {
    b"sqsh": "big-endian squashfs",
    b"shsq": "squashfs 3 with the LZMA patch",
    b"qshs": "big-endian squashfs 3 with the LZMA patch",
}


class SquashFlag(IntFlag):
    """How mksquashfs was told to make the image."""

    UNCOMPRESSED_INODES = 1 << 0
    UNCOMPRESSED_DATA = 1 << 1
    CHECK = 1 << 2
    UNCOMPRESSED_FRAGMENTS = 1 << 3
    NO_FRAGMENTS = 1 << 4
    ALWAYS_FRAGMENTS = 1 << 5
    DUPLICATES_REMOVED = 1 << 6
    EXPORTABLE = 1 << 7
    UNCOMPRESSED_XATTRS = 1 << 8
    NO_XATTRS = 1 << 9
    COMPRESSOR_OPTIONS = 1 << 10
    UNCOMPRESSED_IDS = 1 << 11


class InodeType(IntEnum):
    """Kinds of inode; the extended ones carry more fields."""

    DIRECTORY = 1
    FILE = 2
    SYMLINK = 3
    BLOCK_DEVICE = 4
    CHARACTER_DEVICE = 5
    FIFO = 6
    SOCKET = 7
    EXTENDED_DIRECTORY = 8
    EXTENDED_FILE = 9
    EXTENDED_SYMLINK = 10
    EXTENDED_BLOCK_DEVICE = 11
    EXTENDED_CHARACTER_DEVICE = 12
    EXTENDED_FIFO = 13
    EXTENDED_SOCKET = 14


@dataclass(frozen=True)
class Compression:
    """A compressor that an image can name."""

    name: str
    decompress: Codec


_COMPRESSIONS = {
    1: Compression("gzip", codecs.unzlib),
    2: Compression("lzma", codecs.unlzma_alone),
    3: Compression("lzo", codecs.unlzo),
    4: Compression("xz", codecs.unxz),
    5: Compression("lz4", codecs.unlz4),
    6: Compression("zstd", codecs.unzstd),
}


@dataclass(frozen=True)
class Superblock(Record):
    """The first 96 bytes of an image."""

    magic: Annotated[bytes, "4s"]
    inodes: u32
    mkfs_time: u32
    block_size: u32
    fragments: u32
    compression_id: u16
    block_log: u16
    flags: u16
    ids: u16
    major: u16
    minor: u16
    root_inode: u64
    bytes_used: u64
    id_table: u64
    xattr_table: u64
    inode_table: u64
    directory_table: u64
    fragment_table: u64
    export_table: u64

    @property
    def compression(self) -> Compression:
        """The compressor of all blocks."""
        compression = _COMPRESSIONS.get(self.compression_id)
        if compression is None:
            raise FormatError(f"squashfs compression {self.compression_id} is unknown")
        return compression

    @classmethod
    def checked(cls, source: ByteSource) -> "Superblock":
        """The superblock of a source, if this module can read what it describes."""
        superblock = cls.read(source, 0)
        if superblock.magic != MAGIC:
            foreign = _FOREIGN.get(superblock.magic)
            what = f"{foreign}, which is not supported" if foreign else "not a squashfs image"
            raise FormatError(what)
        if (superblock.major, superblock.minor) != (4, 0):
            raise FormatError(
                f"squashfs {superblock.major}.{superblock.minor} is not supported, only 4.0"
            )
        log = superblock.block_log
        if not SMALLEST_BLOCK_LOG <= log <= LARGEST_BLOCK_LOG or superblock.block_size != 1 << log:
            raise FormatError(f"a squashfs block size of {superblock.block_size} (log {log})")
        if superblock.bytes_used > source.size:
            raise TruncatedError(
                f"the squashfs image has {superblock.bytes_used} bytes, "
                f"of which only {source.size} are there"
            )
        return superblock


@dataclass(frozen=True)
class GzipOptions(Record):
    """Compressor options of gzip."""

    level: u32
    window_bits: u16
    strategies: u16


@dataclass(frozen=True)
class XzOptions(Record):
    """Compressor options of xz; bit 0 of ``filters`` is x86."""

    dictionary_size: u32
    filters: u32


@dataclass(frozen=True)
class LzoOptions(Record):
    """Compressor options of LZO."""

    algorithm: u32
    level: u32


@dataclass(frozen=True)
class Lz4Options(Record):
    """Compressor options of LZ4; bit 0 of ``flags`` is high compression."""

    version: u32
    flags: u32


@dataclass(frozen=True)
class ZstdOptions(Record):
    """Compressor options of Zstandard."""

    level: u32


OPTIONS: dict[str, type[Record]] = {
    "gzip": GzipOptions,
    "lzo": LzoOptions,
    "xz": XzOptions,
    "lz4": Lz4Options,
    "zstd": ZstdOptions,
}


@dataclass(frozen=True)
class InodeHeader(Record):
    """What every inode begins with."""

    type: u16
    mode: u16
    uid_index: u16
    gid_index: u16
    mtime: u32
    number: u32


@dataclass(frozen=True)
class DirectoryInode(Record):
    """A directory; ``size`` is that of its listing plus 3."""

    block: u32
    links: u32
    size: u16
    offset: u16
    parent: u32


@dataclass(frozen=True)
class ExtendedDirectoryInode(Record):
    """A large or indexed directory."""

    links: u32
    size: u32
    block: u32
    parent: u32
    index_count: u16
    offset: u16
    xattr: u32


@dataclass(frozen=True)
class FileInode(Record):
    """A regular file; the sizes of its blocks follow."""

    block: u32
    fragment: u32
    offset: u32
    size: u32


@dataclass(frozen=True)
class ExtendedFileInode(Record):
    """A regular file that is large, sparse, linked twice or has attributes."""

    block: u64
    size: u64
    sparse: u64
    links: u32
    fragment: u32
    offset: u32
    xattr: u32


@dataclass(frozen=True)
class SymlinkInode(Record):
    """A symlink; the target follows."""

    links: u32
    size: u32


@dataclass(frozen=True)
class DeviceInode(Record):
    """A block or character device."""

    links: u32
    device: u32


@dataclass(frozen=True)
class ExtendedDeviceInode(Record):
    """A block or character device with attributes."""

    links: u32
    device: u32
    xattr: u32


@dataclass(frozen=True)
class PipeInode(Record):
    """A FIFO or socket."""

    links: u32


@dataclass(frozen=True)
class ExtendedPipeInode(Record):
    """A FIFO or socket with attributes."""

    links: u32
    xattr: u32


@dataclass(frozen=True)
class XattrTable(Record):
    """Where all extended attributes are; the places of the blocks of `XattrList` follow."""

    start: u64
    lists: u32
    unused: u32


@dataclass(frozen=True)
class XattrList(Record):
    """``count`` attributes of ``size`` bytes; inodes with the same ones share a list."""

    place: u64
    count: u32
    size: u32


@dataclass(frozen=True)
class XattrEntry(Record):
    """One extended attribute; the rest of its name follows, then its value."""

    type: u16
    name_size: u16


@dataclass(frozen=True)
class DirectoryHeader(Record):
    """Begins a run of entries whose inodes lie in one metadata block; ``count`` is one less."""

    count: u32
    block: u32
    inode_number: u32


@dataclass(frozen=True)
class DirectoryEntry(Record):
    """One name; ``name_size`` is one less than its length."""

    offset: u16
    inode_delta: Annotated[int, "h"]
    type: u16
    name_size: u16


@dataclass(frozen=True)
class Fragment(Record):
    """A block that holds the tails of several files."""

    start: u64
    size: u32
    unused: u32
