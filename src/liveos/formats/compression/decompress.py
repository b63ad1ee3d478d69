# SPDX-License-Identifier: Apache-2.0
"""Decompression of whole streams, in pieces of bounded size, whatever the stream claims.

The formats are those that the kernel accepts for an initramfs (lib/decompress.c), told by magic.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Protocol

import lz4.frame
import zstandard

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.compression.codecs import unlz4
from liveos.formats.compression.lzop import read_lzop
from liveos.formats.compression.streams import SourceStream

_INPUT_SIZE = 128 << 10
_OUTPUT_SIZE = 256 << 10
_LZMA_MEMORY = 96 << 20  # ``xz -9`` needs 65 MiB; liblzma would allocate what the stream names
_ZSTD_WINDOW = 1 << 27  # the largest that the kernel accepts
_LZ4_LEGACY_BLOCK = 8 << 20


# What the decompressors raise: bz2 OSError, lz4 RuntimeError
_DAMAGED = (zlib.error, lzma.LZMAError, OSError, RuntimeError, zstandard.ZstdError)


class Compression(StrEnum):
    """How a stream is compressed."""

    GZIP = "gzip"
    XZ = "xz"
    LZMA = "lzma"
    BZIP2 = "bzip2"
    ZSTD = "zstd"
    LZ4 = "lz4"
    LZ4_LEGACY = "lz4-legacy"
    LZO = "lzo"


_MAGICS = (
    (b"\x1f\x8b\x08", Compression.GZIP),
    (b"\xfd7zXZ\0", Compression.XZ),
    (b"\x5d\0\0", Compression.LZMA),
    (b"BZh", Compression.BZIP2),
    (b"\x28\xb5\x2f\xfd", Compression.ZSTD),
    (b"\x04\x22\x4d\x18", Compression.LZ4),
    (b"\x02\x21\x4c\x18", Compression.LZ4_LEGACY),
    (b"\x89LZO\0\r\n\x1a\n", Compression.LZO),
)
MAGIC_SIZE = 9


def detect(head: bytes) -> Compression | None:
    """How a stream that begins with these `MAGIC_SIZE` bytes is compressed."""
    for magic, compression in _MAGICS:
        if head.startswith(magic):
            return compression
    return None


def decompress(source: ByteSource, offset: int = 0) -> Iterator[bytes]:
    """What the compressed stream at ``offset`` holds, in pieces; it may be in several parts.

    Bytes behind the last part are left alone. :raises FormatError: the stream is damaged, ends
    too soon, is of an unknown kind or needs unreasonable memory.
    """
    stream = SourceStream(source, offset)
    compression = detect(stream.peek(MAGIC_SIZE))
    if compression is None:
        raise FormatError("not compressed in a way that is known")
    yield from _READERS[compression](stream)


class _Decompressor(Protocol):
    """What the standard library's incremental decompressors have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """zlib's decompressor in the shape of the others."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


def _in_parts(
    make: Callable[[], _Decompressor], input_size: int = _INPUT_SIZE
) -> Callable[[SourceStream], Iterator[bytes]]:
    """A reader of streams of one or more parts, each for a fresh decompressor."""

    def read(stream: SourceStream) -> Iterator[bytes]:
        kind = detect(stream.peek(MAGIC_SIZE))
        while detect(stream.peek(MAGIC_SIZE)) is kind:
            part = make()
            while not part.eof:
                data = stream.read(input_size) if part.needs_input else b""
                if part.needs_input and not data:
                    raise FormatError(f"a stream of {kind} ends too soon")
                yield _decompress(part, data)
            stream.offset -= len(part.unused_data or b"")
            while stream.peek(4) == bytes(4):  # padding between parts of xz
                stream.skip(4)

    return read


def _decompress(part: _Decompressor, data: bytes) -> bytes:
    try:
        return part.decompress(data, _OUTPUT_SIZE)
    except _DAMAGED as error:
        raise FormatError(f"a compressed stream is damaged: {error}") from error


class _Zstd:
    """zstandard's decompressor in the shape of the others.

    It has no ``max_length``, so it gets so little that no more than 8 MiB can come of it: a
    block of 128 KiB takes at least four bytes.
    """

    input_size = 256
    needs_input = True

    def __init__(self) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._zstd = decompressor.decompressobj()

    @property
    def eof(self) -> bool:
        return self._zstd.eof

    @property
    def unused_data(self) -> bytes:
        return self._zstd.unused_data

    def decompress(self, data: bytes, _max_length: int, /) -> bytes:
        return self._zstd.decompress(data)


def _read_lz4_legacy(stream: SourceStream) -> Iterator[bytes]:
    magic = stream.read(4)
    while len(head := stream.read(4)) == 4:
        if head == magic:
            continue
        size = int.from_bytes(head, "little")
        # What follows the last block is not for this reader: the kernel stops there, too.
        if not 0 < size <= _LZ4_LEGACY_BLOCK + _LZ4_LEGACY_BLOCK // 255 + 16:
            return
        yield unlz4(stream.read(size), _LZ4_LEGACY_BLOCK)


_READERS: dict[Compression, Callable[[SourceStream], Iterator[bytes]]] = {
    Compression.GZIP: _in_parts(_Gzip),
    Compression.XZ: _in_parts(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _LZMA_MEMORY)),
    Compression.LZMA: _in_parts(lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, _LZMA_MEMORY)),
    Compression.BZIP2: _in_parts(bz2.BZ2Decompressor),
    Compression.ZSTD: _in_parts(_Zstd, _Zstd.input_size),
    Compression.LZ4: _in_parts(lz4.frame.LZ4FrameDecompressor),
    Compression.LZ4_LEGACY: _read_lz4_legacy,
    Compression.LZO: read_lzop,
}
