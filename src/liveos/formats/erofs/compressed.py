# SPDX-License-Identifier: Apache-2.0
"""Compressed files of EROFS as byte sources."""

from typing import Protocol

from liveos.formats.binary import ByteSource, FormatError, TruncatedError
from liveos.formats.compression.codecs import BlockCache
from liveos.formats.erofs.map import Coding, ExtentMap, StoredExtent
from liveos.formats.erofs.records import ALGORITHMS, Superblock


class Image(Protocol):
    """What a compressed file needs of the filesystem that it is in."""

    source: ByteSource
    superblock: Superblock

    @property
    def clusters(self) -> BlockCache:
        """The clusters decompressed last."""

    @property
    def packed(self) -> ByteSource:
        """The packed inode."""


class CompressedFile:
    """Random access to a compressed file; extents are looked up as they are needed."""

    def __init__(self, image: Image, path: str, size: int, extents: ExtentMap) -> None:
        self._image = image
        self._path = path
        self._size = size
        self._extents = extents

    @property
    def size(self) -> int:
        return self._size

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise TruncatedError(f"{self._path}: bytes {offset}..{offset + length} of {self.size}")
        end = offset + length
        parts = []
        while offset < end:
            extent = self._extents.extent_at(offset)
            within = offset - extent.start
            piece = min(end - offset, extent.length - within)
            if extent.coding is Coding.FRAGMENT:
                parts.append(self._image.packed.read_at(extent.offset + within, piece))
            else:
                parts.append(self._content(extent)[within : within + piece])
            offset += piece
        return b"".join(parts)

    def _content(self, extent: StoredExtent) -> bytes:
        return self._image.clusters.get(extent, lambda: self._read(extent))

    def _read(self, extent: StoredExtent) -> bytes:
        data = self._image.source.read_at(extent.offset, extent.stored)
        if extent.coding is Coding.COMPRESSED:
            return self._decompress(data, extent)
        # A plain extent that would not begin at the start of a block may be stored rotated.
        rotation = 0
        if extent.coding is Coding.INTERLACED:
            rotation = extent.start % self._image.superblock.block_size
        plain = (data[rotation:] + data[:rotation])[: extent.length]
        if len(plain) != extent.length:
            raise FormatError(f"{self._path}: {len(plain)} bytes stored of {extent.length}")
        return plain

    def _decompress(self, data: bytes, extent: StoredExtent) -> bytes:
        if extent.algorithm >= len(ALGORITHMS):
            raise FormatError(f"{self._path}: compression {extent.algorithm} is unknown")
        # Compressed data ends with its last block; what is left over is zeros in front.
        return ALGORITHMS[extent.algorithm].prefix(data.lstrip(b"\0"), extent.length)
