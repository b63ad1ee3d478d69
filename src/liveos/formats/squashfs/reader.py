# SPDX-License-Identifier: Apache-2.0
"""Reads squashfs 4.0 images without mounting them: directories, links, files at random."""

import itertools
import stat
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from liveos.formats.binary import (
    ByteSource,
    Extent,
    FormatError,
    MemorySource,
    Record,
    TruncatedError,
)
from liveos.formats.compression.codecs import BlockCache
from liveos.formats.squashfs.metadata import Cursor, Metadata, Place
from liveos.formats.squashfs.records import (
    METADATA_SIZE,
    NO_FRAGMENT,
    OPTIONS,
    STORED_DATA,
    DeviceInode,
    DirectoryEntry,
    DirectoryHeader,
    DirectoryInode,
    ExtendedDeviceInode,
    ExtendedDirectoryInode,
    ExtendedFileInode,
    ExtendedPipeInode,
    FileInode,
    Fragment,
    InodeHeader,
    InodeType,
    PipeInode,
    SquashFlag,
    Superblock,
    SymlinkInode,
)
from liveos.formats.squashfs.xattrs import NO_XATTRS, Xattrs
from liveos.formats.tree import Attributes, FileKind, FileTree, Node, device_of, entry_name

# Bounds on what a hostile image can make us hold; real images stay far below.
_LARGEST_LISTING = 16 << 20  # half a million names of usual length
_MOST_BLOCKS = 1 << 22  # 16 GiB in blocks of 4 KiB, 512 GiB in those of 128 KiB
_LONGEST_SYMLINK = 65535
_DATA_BUDGET = 8 << 20

_LISTING_EXTRA = 3  # a directory's size counts "." and "..", which are not stored
_LONGEST_RUN = 256  # entries after one directory header
_FRAGMENTS_PER_BLOCK = METADATA_SIZE // Fragment.layout().size

_KINDS: dict[int, tuple[FileKind, int, type[Record]]] = {
    InodeType.DIRECTORY: (FileKind.DIRECTORY, stat.S_IFDIR, DirectoryInode),
    InodeType.FILE: (FileKind.FILE, stat.S_IFREG, FileInode),
    InodeType.SYMLINK: (FileKind.SYMLINK, stat.S_IFLNK, SymlinkInode),
    InodeType.BLOCK_DEVICE: (FileKind.OTHER, stat.S_IFBLK, DeviceInode),
    InodeType.CHARACTER_DEVICE: (FileKind.OTHER, stat.S_IFCHR, DeviceInode),
    InodeType.FIFO: (FileKind.OTHER, stat.S_IFIFO, PipeInode),
    InodeType.SOCKET: (FileKind.OTHER, stat.S_IFSOCK, PipeInode),
    InodeType.EXTENDED_DIRECTORY: (FileKind.DIRECTORY, stat.S_IFDIR, ExtendedDirectoryInode),
    InodeType.EXTENDED_FILE: (FileKind.FILE, stat.S_IFREG, ExtendedFileInode),
    InodeType.EXTENDED_SYMLINK: (FileKind.SYMLINK, stat.S_IFLNK, SymlinkInode),
    InodeType.EXTENDED_BLOCK_DEVICE: (FileKind.OTHER, stat.S_IFBLK, ExtendedDeviceInode),
    InodeType.EXTENDED_CHARACTER_DEVICE: (FileKind.OTHER, stat.S_IFCHR, ExtendedDeviceInode),
    InodeType.EXTENDED_FIFO: (FileKind.OTHER, stat.S_IFIFO, ExtendedPipeInode),
    InodeType.EXTENDED_SOCKET: (FileKind.OTHER, stat.S_IFSOCK, ExtendedPipeInode),
}


@dataclass(frozen=True, slots=True)
class _Inode:
    """What a node keeps: its records, and where its variable part begins."""

    header: InodeHeader
    record: Record
    tail: Place


class SquashFs(FileTree):
    """A squashfs image. ``source`` is the image itself; what lies after it is not looked at."""

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self.superblock = Superblock.checked(source)
        self._metadata = Metadata(source, self.superblock)
        self._blocks = BlockCache(_DATA_BUDGET)
        self._xattrs = Xattrs(source, self._metadata, self.superblock)
        if self.root.kind is not FileKind.DIRECTORY:
            raise FormatError("the root of this squashfs image is not a directory")

    @property
    def compression(self) -> str:
        """The compressor's name, as mksquashfs spells it."""
        return self.superblock.compression.name

    @property
    def options(self) -> Record | None:
        """How the compressor was set up; None when it was left at its defaults."""
        kind = OPTIONS.get(self.compression)
        if kind is None or not self.superblock.flags & SquashFlag.COMPRESSOR_OPTIONS:
            return None
        return kind.unpack(self._metadata.block(Superblock.layout().size))

    @property
    def root(self) -> Node:
        return self.load("/", self.superblock.root_inode)

    def load(self, path: str, reference: int) -> Node:
        """The node of an inode: ``reference`` is its metadata block << 16 | its offset there."""
        place = Place(self.superblock.inode_table + (reference >> 16), reference & 0xFFFF)
        cursor = Cursor(self._metadata, place)
        header = cursor.record(InodeHeader)
        if header.type not in _KINDS:
            raise FormatError(f"{path}: an inode of type {header.type}")
        kind, type_bits, layout = _KINDS[header.type]
        record = cursor.record(layout)
        size = getattr(record, "size", 0)
        inode = _Inode(header, record, cursor.place)
        return Node(path, kind, size, header.number, type_bits | header.mode & 0o7777, inode)

    def scan(self, directory: Node) -> Iterator[tuple[str, int]]:
        record = directory.handle.record
        left = record.size - _LISTING_EXTRA
        if left > _LARGEST_LISTING:
            raise FormatError(f"{directory.path}: a listing of {left} bytes")
        if left <= 0:
            return
        place = Place(self.superblock.directory_table + record.block, record.offset)
        cursor = Cursor(self._metadata, place)
        while left > 0:
            header = cursor.record(DirectoryHeader)
            if header.count >= _LONGEST_RUN:
                raise FormatError(f"{directory.path}: a run of {header.count} entries")
            left -= header.layout().size
            for _ in range(header.count + 1):
                entry = cursor.record(DirectoryEntry)
                name = cursor.take(entry.name_size + 1)
                left -= entry.layout().size + len(name)
                yield entry_name(name), header.block << 16 | entry.offset
        if left:
            raise FormatError(f"{directory.path}: the listing ends within an entry")

    def extents(self, node: Node) -> tuple[Extent, ...] | None:  # noqa: ARG002 - as FileTree has it
        """None: files are kept in compressed blocks."""
        return None

    def attributes(self, node: Node) -> Attributes:
        header: InodeHeader = node.handle.header
        record = node.handle.record
        return Attributes(
            mode=node.mode,
            uid=self._owner(header.uid_index),
            gid=self._owner(header.gid_index),
            mtime_ns=header.mtime * 1_000_000_000,
            links=getattr(record, "links", 1),
            device=device_of(node.mode, getattr(record, "device", 0)),
            xattrs=self._xattrs.list_of(self._xattr_index(node.handle)),
        )

    def _owner(self, index: int) -> int:
        """A user or group: inodes have their place in one table of all."""
        if index >= self.superblock.ids:
            raise FormatError(f"owner {index} of {self.superblock.ids}")
        block, entry = divmod(4 * index, METADATA_SIZE)
        place = int.from_bytes(
            self.source.read_at(self.superblock.id_table + 8 * block, 8), "little"
        )
        number = self._metadata.block(place)[entry : entry + 4]
        if len(number) < 4:
            raise FormatError(f"owner {index} lies behind the end of its block")
        return int.from_bytes(number, "little")

    def _xattr_index(self, inode: _Inode) -> int:
        if inode.header.type == InodeType.EXTENDED_SYMLINK:
            cursor = Cursor(self._metadata, inode.tail)
            cursor.take(min(inode.record.size, _LONGEST_SYMLINK))  # type: ignore[attr-defined]
            return int.from_bytes(cursor.take(4), "little")
        return getattr(inode.record, "xattr", NO_XATTRS)

    def open(self, node: Node) -> ByteSource:
        record = node.handle.record
        if node.kind is FileKind.SYMLINK:
            if record.size > _LONGEST_SYMLINK:
                raise FormatError(f"{node.path}: a symlink of {record.size} bytes")
            return MemorySource(Cursor(self._metadata, node.handle.tail).take(record.size))
        if not isinstance(record, FileInode | ExtendedFileInode):
            raise FormatError(f"{node.path}: a {node.kind} has no content")
        return _SquashFile(self, node, record, self._block_sizes(node, record))

    def _block_sizes(self, node: Node, record: FileInode | ExtendedFileInode) -> "array[int]":
        count = record.size // self.superblock.block_size
        if record.fragment == NO_FRAGMENT and record.size % self.superblock.block_size:
            count += 1
        if count > _MOST_BLOCKS or record.block > self.superblock.bytes_used:
            raise FormatError(f"{node.path}: a file of {record.size} bytes in {count} blocks")
        sizes = array("I")
        sizes.frombytes(Cursor(self._metadata, node.handle.tail).take(4 * count))
        if sys.byteorder == "big":
            sizes.byteswap()
        return sizes

    def fragment(self, index: int) -> Fragment:
        """An entry of the fragment table."""
        if index >= self.superblock.fragments:
            raise FormatError(f"fragment {index} of {self.superblock.fragments}")
        block, entry = divmod(index, _FRAGMENTS_PER_BLOCK)
        pointer = self.source.read_at(self.superblock.fragment_table + 8 * block, 8)
        return Fragment.unpack(
            self._metadata.block(int.from_bytes(pointer, "little")),
            entry * Fragment.layout().size,
        )

    def block(self, start: int, size_word: int, most: int) -> bytes:
        """The decompressed data block at ``start``, of at most ``most`` bytes."""
        return self._blocks.get(
            (start, size_word, most), lambda: self._read_block(start, size_word, most)
        )

    def _read_block(self, start: int, size_word: int, most: int) -> bytes:
        size = size_word & ~STORED_DATA
        if size > self.superblock.block_size:
            raise FormatError(f"the data block at {start} has the size {size_word:#x}")
        data = self.source.read_at(start, size)
        return (
            data if size_word & STORED_DATA else self.superblock.compression.decompress(data, most)
        )


class _SquashFile:
    """A regular file: full blocks in a row, then a shorter block or a piece of a fragment."""

    def __init__(
        self,
        image: SquashFs,
        node: Node,
        record: FileInode | ExtendedFileInode,
        sizes: "array[int]",
    ) -> None:
        self._image = image
        self._path = node.path
        self._record = record
        self._sizes = sizes
        stored = (size & ~STORED_DATA for size in sizes)
        self._starts = array("Q", itertools.accumulate(stored, initial=record.block))

    @property
    def size(self) -> int:
        return self._record.size

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise TruncatedError(f"{self._path}: bytes {offset}..{offset + length} of {self.size}")
        block_size = self._image.superblock.block_size
        end = offset + length
        parts = []
        while offset < end:
            index, within = divmod(offset, block_size)
            piece = self._block(index)[within : within + end - offset]
            parts.append(piece)
            offset += len(piece)
        return b"".join(parts)

    def _block(self, index: int) -> bytes:
        block_size = self._image.superblock.block_size
        expected = min(block_size, self.size - index * block_size)
        if index == len(self._sizes):
            return self._tail(expected)
        if self._sizes[index] == 0:
            return bytes(expected)  # a hole
        data = self._image.block(self._starts[index], self._sizes[index], expected)
        return self._whole(data, expected)

    def _tail(self, expected: int) -> bytes:
        fragment = self._image.fragment(self._record.fragment)
        most = self._image.superblock.block_size
        data = self._image.block(fragment.start, fragment.size, most)
        return self._whole(data[self._record.offset : self._record.offset + expected], expected)

    def _whole(self, data: bytes, expected: int) -> bytes:
        if len(data) != expected:
            raise FormatError(
                f"{self._path}: a block of {len(data)} bytes where {expected} are expected"
            )
        return data
