# SPDX-License-Identifier: Apache-2.0
"""Where the bytes of a compressed EROFS file are stored.

A file is divided into logical clusters of a fixed size. Extents, which are compressed as a
whole, begin anywhere in one (its head) and reach to the next head. The last extent may lie after
the index (inline tail) or in the packed inode that all files share (fragment).
"""

from dataclasses import dataclass
from enum import Enum, IntFlag, auto

from liveos.formats.binary import FormatError
from liveos.formats.erofs.index import (
    Cluster,
    ClusterType,
    CompactIndex,
    FullIndex,
    Index,
    ReadMetadata,
)
from liveos.formats.erofs.records import Incompat, MapHeader, Superblock

_LARGEST_STORED = 1 << 20  # the kernel's limits for one extent: compressed,
_LARGEST_EXTENT = 12 << 20  # and decompressed
_WHOLE_FILE_IS_FRAGMENT = 1 << 63
_CLUSTER_BITS = 0xF


class Advise(IntFlag):
    """What a map header says of a file."""

    COMPACT_2B = 0x1
    ENCODED_EXTENTS = 0x1  # the same bit, in a full index
    BIG_1 = 0x2
    BIG_2 = 0x4
    INLINE = 0x8
    INTERLACED = 0x10
    FRAGMENT = 0x20


class Coding(Enum):
    """How an extent is stored."""

    FRAGMENT = auto()  # in the packed inode
    PLAIN = auto()
    INTERLACED = auto()  # plain, rotated so that its bytes keep their place in a block
    COMPRESSED = auto()


@dataclass(frozen=True, slots=True)
class StoredExtent:
    """``length`` bytes of a file from ``start``, stored in ``stored`` bytes at ``offset``.

    ``offset`` counts in the image, for a fragment in the packed inode. ``algorithm`` matters to
    compressed extents only.
    """

    start: int
    length: int
    coding: Coding
    offset: int
    stored: int
    algorithm: int = 0


class ExtentMap:
    """Finds the extent that holds a byte; each look-up reads a few entries of the index."""

    def __init__(
        self,
        metadata: ReadMetadata,
        superblock: Superblock,
        start: int,
        size: int,
        *,
        compact: bool,
    ) -> None:
        """``start`` is the byte after the inode, ``size`` that of the file."""
        start = -(-start // 8) * 8
        data = metadata(start, MapHeader.layout().size)
        whole = int.from_bytes(data, "little")
        self._size = size
        self._block_log = superblock.block_log
        self._fragment: int | None = None
        self._tail_head: int | None = None
        self._last: StoredExtent | None = None
        if whole & _WHOLE_FILE_IS_FRAGMENT:
            self._fragment = whole ^ _WHOLE_FILE_IS_FRAGMENT
            self._tail_head = 0
            return
        if not superblock.incompat & Incompat.zero_padding:
            raise FormatError("compressed in the way of before Linux 5.4 (no 0padding)")
        self._header = MapHeader.unpack(data)
        self._bits = self._block_log + (self._header.cluster_bits & _CLUSTER_BITS)
        self._index = self._open_index(metadata, start + len(data), compact=compact)
        if size and self._header.advise & (Advise.FRAGMENT | Advise.INLINE):
            self._find_tail(compact=compact)

    @property
    def has_fragment(self) -> bool:
        """Part of the file lies in the packed inode."""
        return self._fragment is not None

    def extent_at(self, offset: int) -> StoredExtent:
        """The extent that holds a byte of the file."""
        last = self._last
        if last is None or not last.start <= offset < last.start + last.length:
            self._last = last = self._find(offset)
        return last

    def _open_index(self, metadata: ReadMetadata, start: int, *, compact: bool) -> Index:
        advise = self._header.advise
        if compact:
            return CompactIndex(
                metadata,
                start,
                -(-self._size >> self._bits),
                self._bits,
                packed=bool(advise & Advise.COMPACT_2B),
                big=bool(advise & Advise.BIG_1),
            )
        if advise & Advise.ENCODED_EXTENTS:
            raise FormatError("encoded extents are not supported")
        return FullIndex(metadata, start)

    def _find_tail(self, *, compact: bool) -> None:
        self._tail_head, head = self._head_of(self._size - 1)
        if self._header.advise & Advise.FRAGMENT:
            # A full index has room for the upper half of the offset in the head's block number.
            self._fragment = self._header.tail | (0 if compact else head.block << 32)

    def _find(self, offset: int) -> StoredExtent:
        if self._fragment is not None and self._tail_head == 0:
            return StoredExtent(0, self._size, Coding.FRAGMENT, self._fragment, self._size)
        number, head = self._head_of(offset)
        start = (number << self._bits) + head.offset
        length = self._end_of(number, start) - start
        if number == self._tail_head and self._fragment is not None:
            return StoredExtent(start, length, Coding.FRAGMENT, self._fragment, length)
        if number == self._tail_head:
            place = self._index.end((self._size - 1) >> self._bits)
            stored = self._header.tail >> 16
        else:
            place = head.block << self._block_log
            stored = self._stored_blocks(number, head) << self._block_log
        if length > _LARGEST_EXTENT or not 0 < stored <= _LARGEST_STORED:
            raise FormatError(f"an extent of {length} bytes in {stored} at {place}")
        return StoredExtent(start, length, self._coding(head), place, stored, self._algorithm(head))

    def _head_of(self, offset: int) -> tuple[int, Cluster]:
        """The number of the logical cluster in which the extent of a byte begins."""
        number = offset >> self._bits
        cluster = self._index.cluster(number)
        if cluster.is_head and (number << self._bits) + cluster.offset <= offset:
            return number, cluster
        back = 1 if cluster.is_head else cluster.back
        while True:
            number -= back
            if back == 0 or number < 0 or offset - (number << self._bits) > 2 * _LARGEST_EXTENT:
                raise FormatError(f"the extent of byte {offset} has no head")
            cluster = self._index.cluster(number)
            if cluster.is_head:
                return number, cluster
            back = cluster.back

    def _end_of(self, number: int, start: int) -> int:
        """Where the extent whose head is given ends: at the next head, or with the file."""
        number += 1
        while number << self._bits < self._size:
            cluster = self._index.cluster(number)
            if cluster.is_head:
                end = (number << self._bits) + cluster.offset
                return min(end, self._size)
            if (number << self._bits) - start > _LARGEST_EXTENT:
                raise FormatError(f"the extent at byte {start} has no end")
            number += max(cluster.ahead, 1)
        return self._size

    def _stored_blocks(self, number: int, head: Cluster) -> int:
        big = Advise.BIG_1 if head.type is ClusterType.HEAD1 else Advise.BIG_2
        if not self._header.advise & big or (number + 1) << self._bits >= self._size:
            return 1
        following = self._index.cluster(number + 1)
        return following.stored or 1

    def _coding(self, head: Cluster) -> Coding:
        if head.type is not ClusterType.PLAIN:
            return Coding.COMPRESSED
        interlaced = self._header.advise & Advise.INTERLACED
        return Coding.INTERLACED if interlaced else Coding.PLAIN

    def _algorithm(self, head: Cluster) -> int:
        algorithms = self._header.algorithms
        return algorithms >> 4 if head.type is ClusterType.HEAD2 else algorithms & 0xF
