# SPDX-License-Identifier: Apache-2.0
"""Decompression of single blocks, never into more bytes than the format allows.

Each codec takes one compressed block and the most bytes it may become; it raises `FormatError`
for anything else that the block turns out to be.
"""

import lzma
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable

import lz4.block
import zstandard
from lzallright import LZOCompressor, LZOError

from liveos.formats.binary import FormatError

Codec = Callable[[bytes, int], bytes]

# xz blocks name a dictionary size, and liblzma allocates that much before it reads on.
_LZMA_MEMORY = 64 << 20


def unzlib(data: bytes, most: int) -> bytes:
    """Inflate a zlib stream (RFC 1950)."""
    return _inflate(data, most, zlib.MAX_WBITS)


def inflate(data: bytes, most: int) -> bytes:
    """Inflate a raw deflate stream (RFC 1951)."""
    return _inflate(data, most, -zlib.MAX_WBITS)


def unxz(data: bytes, most: int) -> bytes:
    """Decompress an .xz stream; branch filters such as x86 are named inside it."""
    return _unlzma(data, most, lzma.FORMAT_XZ)


def unlzma_alone(data: bytes, most: int) -> bytes:
    """Decompress a .lzma stream: properties, dictionary size and length come first."""
    return _unlzma(data, most, lzma.FORMAT_ALONE)


def unlz4(data: bytes, most: int) -> bytes:
    """Decompress an LZ4 block (no frame)."""
    try:
        return lz4.block.decompress(data, uncompressed_size=most)  # type: ignore[no-any-return]
    except (lz4.block.LZ4BlockError, ValueError) as error:
        raise FormatError(f"an LZ4 block is damaged: {error}") from error


def unlzo(data: bytes, most: int) -> bytes:
    """Decompress an LZO1X block. The library grows its buffer: at most 255 bytes per byte."""
    try:
        plain = LZOCompressor.decompress(data, most)
    except LZOError as error:
        raise FormatError("an LZO block is damaged") from error
    return _checked(plain, most)


def unzstd(data: bytes, most: int) -> bytes:
    """Decompress a Zstandard frame, whose own idea of its size is not trusted."""
    try:
        if zstandard.frame_content_size(data) > most:
            raise FormatError(f"a Zstandard frame claims more than {most} bytes")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=most)
    except zstandard.ZstdError as error:
        raise FormatError(f"a Zstandard frame is damaged: {error}") from error


def _inflate(data: bytes, most: int, window_bits: int) -> bytes:
    decompressor = zlib.decompressobj(window_bits)
    try:
        plain = decompressor.decompress(data, most + 1)
    except zlib.error as error:
        raise FormatError(f"a deflate stream is damaged: {error}") from error
    return _checked(plain, most)


def _unlzma(data: bytes, most: int, container: int) -> bytes:
    try:
        decompressor = lzma.LZMADecompressor(container, memlimit=_LZMA_MEMORY)
        plain = decompressor.decompress(data, most + 1)
    except lzma.LZMAError as error:
        raise FormatError(f"an LZMA stream is damaged: {error}") from error
    return _checked(plain, most)


def _checked(plain: bytes, most: int) -> bytes:
    if len(plain) > most:
        raise FormatError(f"a compressed block holds more than the {most} bytes it may")
    return plain


class BlockCache:
    """The last few decompressed blocks, oldest out first, within a budget of bytes."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._blocks: OrderedDict[Hashable, bytes] = OrderedDict()
        self._held = 0

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The block for ``key``, made if it is not at hand."""
        block = self._blocks.get(key)
        if block is not None:
            self._blocks.move_to_end(key)
            return block
        block = make()
        self._blocks[key] = block
        self._held += len(block)
        while self._held > self._budget and len(self._blocks) > 1:
            _, dropped = self._blocks.popitem(last=False)
            self._held -= len(dropped)
        return block
