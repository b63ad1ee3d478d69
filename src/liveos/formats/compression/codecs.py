# SPDX-License-Identifier: Apache-2.0
"""Decompression of single blocks, never into more bytes than the format allows.

Each codec takes one compressed block and the most bytes it may become; it raises `FormatError`
for anything else that the block turns out to be. The ``…_prefix`` ones are for EROFS, where a
cluster may hold more than one file uses: they give exactly the length asked for.
"""

import lzma
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

import lz4.block
import zstandard
from lzallright import LZOCompressor, LZOError

from liveos.formats.binary import FormatError

Codec = Callable[[bytes, int], bytes]

# xz blocks name a dictionary size, and liblzma allocates that much before it reads on.
_LZMA_MEMORY = 64 << 20
_ZSTD_WINDOW = 16 << 20
_LZ4_RATIO = 255  # the most bytes that a byte can become
_LZ4_MOST = 12 << 20  # what the kernel lets a cluster of EROFS become


def unzlib(data: bytes, most: int) -> bytes:
    """Inflate a zlib stream (RFC 1950)."""
    try:
        plain = zlib.decompressobj().decompress(data, most + 1)
    except zlib.error as error:
        raise FormatError(f"a zlib stream is damaged: {error}") from error
    return _checked(plain, most)


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


def inflate_prefix(data: bytes, length: int) -> bytes:
    """The first ``length`` bytes of a raw deflate stream (RFC 1951)."""
    try:
        plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, length)
    except zlib.error as error:
        raise FormatError(f"a deflate stream is damaged: {error}") from error
    return _whole(plain, length)


def microlzma_prefix(data: bytes, length: int) -> bytes:
    """The first ``length`` bytes of a MicroLZMA stream.

    That is LZMA1 without an end mark, whose first byte, always zero, makes room for the inverted
    lc/lp/pb properties (liblzma's ``lzma/container.h``).
    """
    position_bits, rest = divmod((data[0] if data else 0) ^ 0xFF, 45)
    literal_position_bits, literal_context_bits = divmod(rest, 9)
    lzma1 = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": max(length, 4096),  # no match reaches back further than the output
        "lc": literal_context_bits,
        "lp": literal_position_bits,
        "pb": position_bits,
    }
    try:
        decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[lzma1])
        plain = decompressor.decompress(b"\0" + data[1:], length)
    except (lzma.LZMAError, ValueError) as error:
        raise FormatError(f"a MicroLZMA stream is damaged: {error}") from error
    return _whole(plain, length)


def lz4_prefix(data: bytes, length: int) -> bytes:
    """The first ``length`` bytes of an LZ4 block."""
    try:
        return _whole(unlz4(data, length), length)
    except FormatError:
        # It may hold more, and the library has no partial decoding: make room for all of it.
        most = min(_LZ4_RATIO * len(data), _LZ4_MOST)
        return _whole(unlz4(data, most)[:length], length)


def zstd_prefix(data: bytes, length: int) -> bytes:
    """The first ``length`` bytes of a Zstandard frame."""
    try:
        reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(data)
        return _whole(reader.read(length), length)
    except zstandard.ZstdError as error:
        raise FormatError(f"a Zstandard frame is damaged: {error}") from error


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


def _whole(plain: bytes, length: int) -> bytes:
    if len(plain) != length:
        raise FormatError(f"a compressed cluster gives {len(plain)} of {length} bytes")
    return plain


class BlockCache:
    """The last few decompressed blocks, oldest out first, within a budget of bytes.

    Threads may share one; a block that two of them miss at once is made twice.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._blocks: OrderedDict[Hashable, bytes] = OrderedDict()
        self._held = 0
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The block for ``key``, made if it is not at hand."""
        with self._lock:
            block = self._blocks.get(key)
            if block is not None:
                self._blocks.move_to_end(key)
                return block
        block = make()
        with self._lock:
            self._keep(key, block)
        return block

    def _keep(self, key: Hashable, block: bytes) -> None:
        self._held += len(block) - len(self._blocks.get(key, b""))
        self._blocks[key] = block
        while self._held > self._budget and len(self._blocks) > 1:
            _, dropped = self._blocks.popitem(last=False)
            self._held -= len(dropped)
