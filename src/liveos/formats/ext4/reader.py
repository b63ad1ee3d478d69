# SPDX-License-Identifier: Apache-2.0
"""Reads ext2, ext3 and ext4 without mounting them, and says where each file's bytes lie.

The journal is not replayed: `Superblock.needs_recovery` tells when that matters.

Why not the ``ext4`` package: its 1.4 lists directories that are mapped by indirect blocks, as in
the ``ext3fs.img`` of old, as empty; it answers damaged ones with OSError and AssertionError; and
it wants a file, where the filesystem here may lie inside a compressed one.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property

from liveos.formats.binary import ByteSource, Extent, FormatError, MemorySource, TruncatedError
from liveos.formats.compression.codecs import BlockCache
from liveos.formats.ext4.attributes import attributes_of, xattr_block
from liveos.formats.ext4.blocks import Run, extent_tree_runs, indirect_runs
from liveos.formats.ext4.descriptors import Descriptors
from liveos.formats.ext4.records import ROOT_INODE, Inode, InodeFlag
from liveos.formats.ext4.superblock import Incompat, RoCompat, Superblock, feature_names
from liveos.formats.ext4.xattrs import (
    INLINE_XATTR,
    StoredXattr,
    value_as_shown,
    xattrs_in_block,
    xattrs_in_inode,
)
from liveos.formats.tree import Attributes, FileKind, FileTree, Node, entry_name, kind_of

_READABLE = (
    Incompat.filetype
    | Incompat.needs_recovery
    | Incompat.meta_bg
    | Incompat.extent
    | Incompat.wide
    | Incompat.mmp
    | Incompat.flex_bg
    | Incompat.ea_inode
    | Incompat.metadata_csum_seed
    | Incompat.large_dir
    | Incompat.inline_data
    | Incompat.casefold
)

_CACHE_BUDGET = 4 << 20
_SECTOR = 512
_LARGEST_DIRECTORY = 16 << 20  # half a million names of usual length
_FAST_SYMLINK = 60  # a shorter target lies in the inode itself
_ENTRY_HEADER = 8
_WHOLE_BLOCK = {0, 0xFFFF}  # record lengths that mean 64 KiB, which 16 bits cannot say
_MOST_EXTENTS = 1 << 20
_BLOCK_NUMBERS, _INLINE_SIZE = 40, 60  # i_block of an inode
_INLINE_PARENT = 4  # an inline directory begins with the number of its parent
_MOST_XATTR_BYTES = 4 << 20  # the kernel lists 64 KiB of names; most values are short


class Ext4(FileTree):
    """An ext2, ext3 or ext4 filesystem in a byte source."""

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self.superblock = Superblock.checked(source)
        unreadable = self.superblock.incompat & ~int(_READABLE)
        if unreadable:
            names = " ".join(feature_names(Incompat, unreadable))
            raise FormatError(f"ext4 features that cannot be read: {names}")
        if self.superblock.size > source.size:
            raise TruncatedError(
                f"the ext4 filesystem has {self.superblock.size} bytes, "
                f"of which only {source.size} are there"
            )
        self._cache = BlockCache(_CACHE_BUDGET)
        if self.root.kind is not FileKind.DIRECTORY:
            raise FormatError("the root of this ext4 filesystem is not a directory")

    @cached_property
    def descriptors(self) -> Descriptors:
        """The descriptors of all groups, as found: their checksums may be wrong."""
        return Descriptors.read(self.source, self.superblock)

    @property
    def root(self) -> Node:
        return self.load("/", ROOT_INODE)

    def load(self, path: str, reference: int) -> Node:
        """The node of an inode number."""
        inode = self._inode(reference)
        size = inode.size_low
        if kind_of(inode.mode) is FileKind.FILE:
            size |= inode.size_high << 32
        return Node(path, kind_of(inode.mode), size, reference, inode.mode, inode)

    def scan(self, directory: Node) -> Iterator[tuple[str, int]]:
        return ((name, number) for name, number, _ in self.entries(directory))

    def entries(self, directory: Node) -> Iterator[tuple[str, int, int]]:
        """Names in a directory, each with its inode number and the type byte of its entry."""
        if directory.size > _LARGEST_DIRECTORY:
            raise FormatError(f"{directory.path}: a directory of {directory.size} bytes")
        if directory.handle.flags & InodeFlag.INLINE_DATA:
            yield from self._inline_entries(directory)
            return
        content = super().open(directory)
        block_size = self.superblock.block_size
        for offset in range(0, directory.size, block_size):
            block = content.read_at(offset, min(block_size, directory.size - offset))
            yield from _entries(block, directory.path)

    def extents(self, node: Node) -> tuple[Extent, ...]:
        """Where a file's bytes lie; holes and unwritten extents have no offset.

        `FormatError` for encrypted content.
        """
        inode: Inode = node.handle
        if inode.flags & InodeFlag.ENCRYPTED:
            raise FormatError(f"{node.path}: encrypted content cannot be read")
        if node.kind is FileKind.OTHER:
            raise FormatError(f"{node.path}: a device or pipe has no content")
        if inode.flags & InodeFlag.INLINE_DATA:
            return _cut(self._inline_extents(node), node)
        block_size = self.superblock.block_size
        count = -(-node.size // block_size)
        if inode.flags & InodeFlag.EXTENTS:
            runs = extent_tree_runs(self.block, inode.block, count)
        else:
            runs = indirect_runs(self.block, inode.block, count, block_size)
        extents = _in_bytes(runs, node.size, block_size)
        size = self.superblock.size
        if any(e.offset is not None and e.offset + e.length > size for e in extents):
            raise FormatError(f"{node.path}: lies outside the filesystem")
        return extents

    def allocated(self, node: Node) -> int:
        """As `FileTree.allocated`, by the kernel's ``ext4_inode_blocks``."""
        inode: Inode = node.handle
        if not self.superblock.ro_compat & RoCompat.huge_file:
            return inode.blocks * _SECTOR
        count = int.from_bytes(inode.os_dependent[:2], "little") << 32 | inode.blocks
        is_huge = inode.flags & InodeFlag.HUGE_FILE
        return count * (self.superblock.block_size if is_huge else _SECTOR)

    def open(self, node: Node) -> ByteSource:
        inode: Inode = node.handle
        if _is_fast_symlink(node, inode):
            return MemorySource(inode.block[: node.size])
        return super().open(node)

    def block(self, number: int) -> bytes:
        """A block of metadata."""
        if not 0 < number < self.superblock.blocks:
            raise FormatError(f"block {number} of {self.superblock.blocks}")
        size = self.superblock.block_size
        return self._cache.get(number, lambda: self.source.read_at(number * size, size))

    def attributes(self, node: Node) -> Attributes:
        raw = self.inode_bytes(node.number)
        inode = Inode.unpack(raw)
        xattrs: dict[str, bytes] = {}
        left = _MOST_XATTR_BYTES
        for found, area in self._stored_xattrs(inode, raw):
            left -= found.size
            if left < 0:
                raise FormatError(f"{node.path}: extended attributes without end")
            if found.name != INLINE_XATTR:
                value = self._xattr_value(found, area)
                xattrs[found.name] = value_as_shown(found.name, value)
        return attributes_of(inode, raw, xattrs)

    def inode_bytes(self, number: int) -> bytes:
        """All bytes of an inode, with those behind the fields that `Inode` has."""
        block, offset = self.inode_place(number)
        return self.block(block)[offset : offset + self.superblock.inode_size]

    def inode_place(self, number: int) -> tuple[int, int]:
        """The block that holds an inode, and the inode's first byte there."""
        superblock = self.superblock
        if not 0 < number <= superblock.inodes_count:
            raise FormatError(f"inode {number} of {superblock.inodes_count}")
        group, index = divmod(number - 1, superblock.inodes_per_group)
        block, offset = divmod(index * superblock.inode_size, superblock.block_size)
        return int(self.descriptors.inode_table[group]) + block, offset

    def _inode(self, number: int) -> Inode:
        block, offset = self.inode_place(number)
        return Inode.unpack(self.block(block), offset)

    def _stored_xattrs(self, inode: Inode, raw: bytes) -> Iterator[tuple[StoredXattr, bytes]]:
        """Each extended attribute, with the bytes that its offset counts in."""
        for found in xattrs_in_inode(raw):
            yield found, raw
        number = xattr_block(inode, wide=bool(self.superblock.incompat & Incompat.wide))
        if number:
            block = self.block(number)
            for found in xattrs_in_block(block):
                yield found, block

    def _xattr_value(self, found: StoredXattr, area: bytes) -> bytes:
        if not found.inode:
            return area[found.offset : found.offset + found.size]
        holder = self.load(f"(value of {found.name})", found.inode)
        if not holder.handle.flags & InodeFlag.EXTENDED_ATTRIBUTE or holder.size != found.size:
            raise FormatError(f"inode {found.inode} does not hold the value of {found.name}")
        return self.open(holder).read_at(0, found.size)

    def _inline_extents(self, node: Node) -> Iterator[Extent]:
        """Content in the inode: where block numbers would be, then in an attribute behind."""
        block, offset = self.inode_place(node.number)
        start = block * self.superblock.block_size + offset
        yield Extent(start + _BLOCK_NUMBERS, _INLINE_SIZE)
        for found in xattrs_in_inode(self.inode_bytes(node.number)):
            if found.name == INLINE_XATTR and not found.inode:
                yield Extent(start + found.offset, found.size)

    def _inline_entries(self, directory: Node) -> Iterator[tuple[str, int, int]]:
        first, *more = (
            self.source.read_at(piece.offset or 0, piece.length)
            for piece in self._inline_extents(directory)
        )
        for block in (first[_INLINE_PARENT:], *more):
            yield from _entries(block, directory.path)


def _is_fast_symlink(node: Node, inode: Inode) -> bool:
    return (
        node.kind is FileKind.SYMLINK
        and node.size < _FAST_SYMLINK
        and not inode.flags & (InodeFlag.EXTENTS | InodeFlag.INLINE_DATA | InodeFlag.ENCRYPTED)
    )


def _in_bytes(runs: Iterator[Run], size: int, block_size: int) -> tuple[Extent, ...]:
    """Runs of blocks as extents of bytes, with gaps as holes, neighbours joined, cut at size."""
    extents: list[Extent] = []
    end = 0
    for run in runs:
        if len(extents) > _MOST_EXTENTS:
            raise FormatError(f"a file in more than {_MOST_EXTENTS} pieces")
        start = run.logical * block_size
        length = min(run.length * block_size, size - start)
        if length <= 0:
            break
        if start > end:
            extents.append(Extent(None, start - end))
        _append(extents, None if run.physical is None else run.physical * block_size, length)
        end = start + length
    if end < size:
        extents.append(Extent(None, size - end))
    return tuple(extents)


def _cut(extents: Iterable[Extent], node: Node) -> tuple[Extent, ...]:
    """As much of the extents as a file has bytes; neighbours are not joined."""
    left = node.size
    cut = []
    for extent in extents:
        cut.append(Extent(extent.offset, min(left, extent.length)))
        left -= cut[-1].length
    if left:
        raise FormatError(f"{node.path}: {node.size} bytes do not lie in its inode")
    return tuple(extent for extent in cut if extent.length)


def _append(extents: list[Extent], offset: int | None, length: int) -> None:
    last = extents[-1] if extents else None
    if last is None or offset is None or last.offset is None:
        extents.append(Extent(offset, length))
    elif last.offset + last.length == offset:
        extents[-1] = Extent(last.offset, last.length + length)
    else:
        extents.append(Extent(offset, length))


def _entries(block: bytes, path: str) -> Iterator[tuple[str, int, int]]:
    """The names in one block of a directory; index blocks look like one empty entry."""
    offset = 0
    while offset + _ENTRY_HEADER <= len(block):
        inode = int.from_bytes(block[offset : offset + 4], "little")
        length = int.from_bytes(block[offset + 4 : offset + 6], "little")
        if length in _WHOLE_BLOCK and len(block) == 1 << 16:
            length = 1 << 16
        name_length = block[offset + 6]
        end = offset + _ENTRY_HEADER + name_length
        if length < _ENTRY_HEADER or end > offset + length or offset + length > len(block):
            raise FormatError(f"{path}: an entry of {length} bytes at {offset} of its block")
        name = block[offset + _ENTRY_HEADER : end]
        if inode and name not in {b".", b".."}:
            yield entry_name(name), inode, block[offset + 7]
        offset += length
