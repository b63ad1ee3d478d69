# SPDX-License-Identifier: Apache-2.0
"""Reads EROFS images without mounting them: directories, links, plain and compressed files."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from liveos.formats.binary import ByteSource, Extent, ExtentSource, FormatError
from liveos.formats.compression.codecs import BlockCache
from liveos.formats.erofs.compressed import CompressedFile
from liveos.formats.erofs.map import ExtentMap
from liveos.formats.erofs.records import (
    SLOT,
    ChunkIndex,
    CompactInode,
    Compat,
    DirectoryEntry,
    ExtendedInode,
    Incompat,
    Layout,
    Superblock,
)
from liveos.formats.erofs.xattrs import HEADER_SIZE, Xattrs, read_prefixes
from liveos.formats.tree import (
    Attributes,
    FileKind,
    FileTree,
    Node,
    device_of,
    entry_name,
    kind_of,
)

_METADATA_BUDGET = 2 << 20
_DATA_BUDGET = 24 << 20  # a cluster may become 12 MiB
_LARGEST_DIRECTORY = 16 << 20  # half a million names of usual length
_MOST_CHUNKS = 1 << 20
_HOLE = 0xFFFFFFFF
_CHUNK_BITS, _CHUNK_INDEXES, _CHUNK_KNOWN = 0x1F, 0x20, 0x3F


@dataclass(frozen=True, slots=True)
class _Inode:
    """What a node keeps: the record, and the byte after it and its extended attributes."""

    record: CompactInode | ExtendedInode
    tail: int
    xattr_size: int

    @property
    def layout(self) -> int:
        return self.record.format >> 1 & 7


class EroFs(FileTree):
    """An EROFS image. ``source`` is the image itself."""

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self.superblock = Superblock.checked(source)
        self._metadata = BlockCache(_METADATA_BUDGET)
        self._clusters = BlockCache(_DATA_BUDGET)
        if self.root.kind is not FileKind.DIRECTORY:
            raise FormatError("the root of this EROFS image is not a directory")

    @property
    def compression(self) -> str | None:
        """The compressors that files may use, as ``dump.erofs`` lists them; None for none."""
        return ", ".join(self.superblock.compression) or None

    @property
    def root(self) -> Node:
        return self.load("/", self.superblock.root_nid)

    def load(self, path: str, reference: int) -> Node:
        """The node of a node number."""
        start = self.superblock.metadata_block * self.superblock.block_size + SLOT * reference
        record: CompactInode | ExtendedInode
        record = CompactInode.unpack(self.metadata(start, CompactInode.layout().size))
        if record.format & 1:
            record = ExtendedInode.unpack(self.metadata(start, ExtendedInode.layout().size))
        tail = start + record.layout().size
        xattr_size = HEADER_SIZE + 4 * (record.xattr_count - 1) if record.xattr_count else 0
        inode = _Inode(record, tail + xattr_size, xattr_size)
        return Node(path, kind_of(record.mode), record.size, reference, record.mode, inode)

    def scan(self, directory: Node) -> Iterator[tuple[str, int]]:
        if directory.size > _LARGEST_DIRECTORY:
            raise FormatError(f"{directory.path}: a directory of {directory.size} bytes")
        content = self.open(directory)
        block_size = self.superblock.block_size
        for offset in range(0, directory.size, block_size):
            block = content.read_at(offset, min(block_size, directory.size - offset))
            yield from _entries(block, directory.path)

    def extents(self, node: Node) -> tuple[Extent, ...] | None:
        """Where a file's bytes lie; None when they are compressed."""
        inode: _Inode = node.handle
        if node.kind is FileKind.OTHER:
            raise FormatError(f"{node.path}: a device or pipe has no content")
        if inode.layout in {Layout.PLAIN, Layout.INLINE}:
            return self._flat_extents(node, inode)
        if inode.layout == Layout.CHUNKS:
            return self._chunk_extents(node, inode)
        if inode.layout in {Layout.COMPRESSED_FULL, Layout.COMPRESSED_COMPACT}:
            return None
        raise FormatError(f"{node.path}: data layout {inode.layout} is unknown")

    def attributes(self, node: Node) -> Attributes:
        inode: _Inode = node.handle
        record = inode.record
        seconds, nanoseconds = self.superblock.build_time, self.superblock.build_nanoseconds
        if isinstance(record, ExtendedInode):
            seconds, nanoseconds = record.mtime, record.mtime_nanoseconds
        start = inode.tail - inode.xattr_size
        return Attributes(
            mode=record.mode,
            uid=record.uid,
            gid=record.gid,
            mtime_ns=seconds * 1_000_000_000 + nanoseconds,
            links=record.links,
            device=device_of(record.mode, record.union),
            xattrs=self._xattrs.list_of(start, inode.xattr_size) if inode.xattr_size else {},
        )

    @cached_property
    def _xattrs(self) -> Xattrs:
        superblock = self.superblock
        in_packed = superblock.incompat & Incompat.fragments and superblock.packed_nid
        plain = superblock.compat & Compat.plain_xattr_prefixes
        prefixes = read_prefixes(
            self.packed if in_packed and not plain else self.source,
            4 * superblock.xattr_prefix_start,
            superblock.xattr_prefix_count,
        )
        shared = superblock.xattr_block * superblock.block_size
        return Xattrs(self.metadata, shared, prefixes)

    def open(self, node: Node) -> ByteSource:
        extents = self.extents(node)
        if extents is not None:
            return ExtentSource(self.source, extents)
        return CompressedFile(self, node.path, node.size, self._map(node))

    def metadata(self, offset: int, length: int) -> bytes:
        """Bytes of inodes and maps, by way of a few blocks that are kept."""
        block_size = self.superblock.block_size
        number, within = divmod(offset, block_size)
        if within + length > block_size:
            return self.source.read_at(offset, length)
        start = number * block_size
        size = min(block_size, self.source.size - start)
        block = self._metadata.get(number, lambda: self.source.read_at(start, size))
        if within + length > len(block):
            raise FormatError(f"metadata at {offset} lies outside the image")
        return block[within : within + length]

    @property
    def clusters(self) -> BlockCache:
        """The clusters decompressed last, of all files."""
        return self._clusters

    @cached_property
    def packed(self) -> ByteSource:
        """The packed inode: tails of files, and whole small ones."""
        if not self.superblock.incompat & Incompat.fragments:
            raise FormatError("a file has a fragment, but the image has no packed inode")
        node = self.load("(packed inode)", self.superblock.packed_nid)
        if self.extents(node) is None and self._map(node).has_fragment:
            raise FormatError("the packed inode refers to itself")
        return self.open(node)

    def _map(self, node: Node) -> ExtentMap:
        """The map of a compressed file."""
        inode: _Inode = node.handle
        compact = inode.layout == Layout.COMPRESSED_COMPACT
        return ExtentMap(self.metadata, self.superblock, inode.tail, node.size, compact=compact)

    def _flat_extents(self, node: Node, inode: _Inode) -> tuple[Extent, ...]:
        block_size = self.superblock.block_size
        start = inode.record.union * block_size
        if inode.layout == Layout.PLAIN or node.size == 0:
            return self._inside(node, [Extent(start, node.size)] if node.size else [])
        in_blocks = (node.size - 1) // block_size * block_size
        tail = Extent(inode.tail, node.size - in_blocks)
        if inode.tail % block_size + tail.length > block_size:
            raise FormatError(f"{node.path}: its inline tail leaves the block of its inode")
        return self._inside(node, [Extent(start, in_blocks), tail] if in_blocks else [tail])

    def _chunk_extents(self, node: Node, inode: _Inode) -> tuple[Extent, ...]:
        chunk_format = inode.record.union & 0xFFFF
        chunk_size = self.superblock.block_size << (chunk_format & _CHUNK_BITS)
        count = -(-node.size // chunk_size)
        if chunk_format & ~_CHUNK_KNOWN or count > _MOST_CHUNKS:
            raise FormatError(f"{node.path}: chunk format {chunk_format:#x}, {count} chunks")
        extents = []
        for index, block in enumerate(self._chunk_blocks(inode, chunk_format, count)):
            length = min(chunk_size, node.size - index * chunk_size)
            offset = None if block == _HOLE else block * self.superblock.block_size
            extents.append(Extent(offset, length))
        return self._inside(node, extents)

    def _chunk_blocks(self, inode: _Inode, chunk_format: int, count: int) -> Iterator[int]:
        if not chunk_format & _CHUNK_INDEXES:
            table = self.source.read_at(-(-inode.tail // 4) * 4, 4 * count)
            yield from memoryview(table).cast("I")
            return
        size = ChunkIndex.layout().size
        table = self.source.read_at(-(-inode.tail // size) * size, size * count)
        for index in range(count):
            chunk = ChunkIndex.unpack(table, index * size)
            if chunk.device and chunk.block != _HOLE:
                raise FormatError("a chunk lies on another device")
            yield chunk.block

    def _inside(self, node: Node, extents: list[Extent]) -> tuple[Extent, ...]:
        for extent in extents:
            if extent.offset is not None and extent.offset + extent.length > self.source.size:
                raise FormatError(f"{node.path}: lies outside the image")
        return tuple(extents)


def _entries(block: bytes, path: str) -> Iterator[tuple[str, int]]:
    """The names in one directory block: entries first, then names up to the end or a zero."""
    size = DirectoryEntry.layout().size
    names_start = DirectoryEntry.unpack(block).name_offset
    if names_start < size or names_start % size or names_start > len(block):
        raise FormatError(f"{path}: names begin at byte {names_start} of a directory block")
    entries = [DirectoryEntry.unpack(block, offset) for offset in range(0, names_start, size)]
    ends = [*(entry.name_offset for entry in entries[1:]), len(block)]
    for entry, end in zip(entries, ends, strict=True):
        if not names_start <= entry.name_offset < end <= len(block):
            raise FormatError(f"{path}: a name at {entry.name_offset} of a directory block")
        name = block[entry.name_offset : end].split(b"\0", 1)[0]
        if name not in {b".", b".."}:
            yield entry_name(name), entry.nid
