# SPDX-License-Identifier: Apache-2.0
r"""Packs: a store's metadata, compressed, in a file small enough to attach to a bug report.

All integers are little-endian::

    magic    8 bytes   "LOSpack\n"
    version  u32       1
    spans    u32       how many spans follow
    size     u64       bytes of the store
    content  u64       bytes of all spans' pieces together
    spans    4 u64     each: offset, length, stride, count (see `Span`)
    blocks             each: u32 length, then a Zstandard frame of so many bytes; a block is 1 MiB
                       of the content, the last one what is left
    sum      32 bytes  SHA-256 of everything before it
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import zstandard

from liveos.formats.binary import ByteSource, FormatError, Record, TruncatedError, u32, u64
from liveos.formats.compression.codecs import BlockCache, unzstd
from liveos.formats.exception_store.spans import Span, SpannedSource

MAGIC = b"LOSpack\n"
VERSION = 1
_BLOCK = 1 << 20
_CACHE = 4 * _BLOCK
_LEVEL = 9
_SUM_SIZE = hashlib.sha256().digest_size
# More than the list of a store of `MAX_EXCEPTIONS`, and no bomb to unpack.
_MAX_CONTENT = 4 << 30
_MAX_SPANS = 1 << 20


@dataclass(frozen=True)
class PackHeader(Record):
    """The beginning of a pack."""

    magic: Annotated[bytes, "8s"]
    version: u32
    spans: u32
    size: u64
    content: u64


@dataclass(frozen=True)
class _SpanRecord(Record):
    offset: u64
    length: u64
    stride: u64
    count: u64


class PackedStore(SpannedSource):
    """A pack as the store that it was made of; the data that it does not hold read as zeros.

    ``spans`` says what it holds.
    """


def is_pack(source: ByteSource) -> bool:
    """Whether the source begins as a pack does."""
    return source.size >= len(MAGIC) and source.read_at(0, len(MAGIC)) == MAGIC


def write_pack(source: ByteSource, spans: Sequence[Span]) -> Iterator[bytes]:
    """A pack of these parts of a store, piece by piece, in the order of the file."""
    digest = hashlib.sha256()
    for part in _parts(source, spans):
        digest.update(part)
        yield part
    yield digest.digest()


def read_pack(source: ByteSource) -> PackedStore:
    """The store that a pack was made of.

    Reads the pack once to compare its sum; a block is unpacked when something in it is read.

    :raises FormatError: it is no pack, or not as it was written.
    """
    header = PackHeader.read(source, 0)
    if header.magic != MAGIC:
        raise FormatError("not a pack of a store's metadata")
    if header.version != VERSION:
        raise FormatError(f"a pack of version {header.version}; version {VERSION} is known")
    if header.content > _MAX_CONTENT or header.spans > _MAX_SPANS:
        raise FormatError("a pack that claims more than a store's metadata can be")
    _compare_sum(source)
    spans = tuple(_read_spans(source, header.spans))
    return PackedStore(header.size, spans, _Blocks(source, header))


def _parts(source: ByteSource, spans: Sequence[Span]) -> Iterator[bytes]:
    content = sum(span.content for span in spans)
    yield PackHeader(MAGIC, VERSION, len(spans), source.size, content).pack()
    for span in spans:
        yield _SpanRecord(span.offset, span.length, span.stride, span.count).pack()
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    for block in _blocks(source, spans):
        frame = compressor.compress(block)
        yield len(frame).to_bytes(4, "little")
        yield frame


def _blocks(source: ByteSource, spans: Sequence[Span]) -> Iterator[bytes]:
    waiting = bytearray()
    for span in spans:
        for offset, length in span.pieces():
            for start in range(0, length, _BLOCK):
                waiting += source.read_at(offset + start, min(_BLOCK, length - start))
                if len(waiting) >= _BLOCK:
                    yield bytes(waiting[:_BLOCK])
                    del waiting[:_BLOCK]
    if waiting:
        yield bytes(waiting)


def _compare_sum(source: ByteSource) -> None:
    digest = hashlib.sha256()
    end = source.size - _SUM_SIZE
    for offset in range(0, end, _BLOCK):
        digest.update(source.read_at(offset, min(_BLOCK, end - offset)))
    if end < 0 or source.read_at(end, _SUM_SIZE) != digest.digest():
        raise FormatError("the pack is damaged: its checksum does not agree")


def _read_spans(source: ByteSource, count: int) -> Iterator[Span]:
    size = _SpanRecord.layout().size
    for number in range(count):
        record = _SpanRecord.read(source, PackHeader.layout().size + number * size)
        yield Span(record.offset, record.length, record.stride, record.count)


class _Blocks:
    """The content of a pack, unpacked block by block."""

    def __init__(self, source: ByteSource, header: PackHeader) -> None:
        self._source = source
        self.size = header.content
        self._cache = BlockCache(_CACHE)
        table = header.spans * _SpanRecord.layout().size
        self._frames = list(self._find_frames(PackHeader.layout().size + table))

    def read_at(self, offset: int, length: int) -> bytes:
        first, last = offset // _BLOCK, -(-(offset + length) // _BLOCK)
        data = b"".join(self._block(number) for number in range(first, last))
        return data[offset - first * _BLOCK :][:length]

    def _find_frames(self, offset: int) -> Iterator[tuple[int, int]]:
        """(offset, length) of each frame."""
        for _ in range(-(-self.size // _BLOCK)):
            length = int.from_bytes(self._source.read_at(offset, 4), "little")
            yield offset + 4, length
            offset += 4 + length
        if offset != self._source.size - _SUM_SIZE:
            raise TruncatedError("the pack is damaged: its blocks do not fill it")

    def _block(self, number: int) -> bytes:
        return self._cache.get(number, lambda: self._unpacked(number))

    def _unpacked(self, number: int) -> bytes:
        offset, length = self._frames[number]
        size = min(_BLOCK, self.size - number * _BLOCK)
        block = unzstd(self._source.read_at(offset, length), size)
        if len(block) != size:
            raise FormatError(f"block {number} of a pack has {len(block)} of {size} bytes")
        return block
