# SPDX-License-Identifier: Apache-2.0
"""Metadata of squashfs: inodes and directories lie in compressed blocks, read on end to end."""

from dataclasses import dataclass
from typing import TypeVar

from liveos.formats.binary import ByteSource, FormatError, Record, TruncatedError
from liveos.formats.compression.codecs import BlockCache
from liveos.formats.squashfs.records import METADATA_SIZE, STORED_METADATA, Superblock

_CACHE_BUDGET = 2 << 20

AnyRecord = TypeVar("AnyRecord", bound=Record)


@dataclass(frozen=True, slots=True)
class Place:
    """A byte of the metadata: the block that holds it, and where in the decompressed block."""

    block: int
    offset: int


class Metadata:
    """The metadata blocks of an image: a two-byte header, then at most 8 KiB compressed."""

    def __init__(self, source: ByteSource, superblock: Superblock) -> None:
        self._source = source
        self._decompress = superblock.compression.decompress
        self._cache = BlockCache(_CACHE_BUDGET)

    def block(self, start: int) -> bytes:
        """The decompressed block at a byte of the image."""
        return self._cache.get(start, lambda: self._read(start))

    def next(self, start: int) -> int:
        """Where the block after the one at ``start`` begins."""
        return start + 2 + (self._header(start) & ~STORED_METADATA)

    def _header(self, start: int) -> int:
        header = int.from_bytes(self._source.read_at(start, 2), "little")
        if not 0 < header & ~STORED_METADATA <= METADATA_SIZE:
            raise FormatError(f"the metadata block at {start} has the size {header:#x}")
        return header

    def _read(self, start: int) -> bytes:
        header = self._header(start)
        data = self._source.read_at(start + 2, header & ~STORED_METADATA)
        if not header & STORED_METADATA:
            data = self._decompress(data, METADATA_SIZE)
        if not data:
            raise FormatError(f"the metadata block at {start} is empty")
        return data


class Cursor:
    """Reads on through metadata blocks; it always ends, because blocks have a size."""

    def __init__(self, metadata: Metadata, place: Place) -> None:
        self._metadata = metadata
        self._start = place.block
        self._offset = place.offset
        self._data = metadata.block(place.block)
        if place.offset > len(self._data):
            raise TruncatedError(f"byte {place.offset} of the metadata block at {place.block}")

    @property
    def place(self) -> Place:
        return Place(self._start, self._offset)

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        parts = []
        while length > len(self._data) - self._offset:
            parts.append(self._data[self._offset :])
            length -= len(parts[-1])
            self._start = self._metadata.next(self._start)
            self._data = self._metadata.block(self._start)
            self._offset = 0
        parts.append(self._data[self._offset : self._offset + length])
        self._offset += length
        return b"".join(parts)

    def record(self, kind: type[AnyRecord]) -> AnyRecord:
        """The next record."""
        return kind.unpack(self.take(kind.layout().size))
