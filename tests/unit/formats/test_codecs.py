# SPDX-License-Identifier: Apache-2.0
"""Decompression never gives more than it may, and fails in one way."""

import contextlib
import lzma
import random
import zlib
from collections.abc import Callable

import lz4.block
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from lzallright import LZOCompressor

from liveos.formats.binary import FormatError
from liveos.formats.compression import codecs
from liveos.formats.compression.codecs import BlockCache, Codec

PLAIN = b"a text that repeats itself, " * 200 + random.Random(5).randbytes(600)


def xz_x86(data: bytes) -> bytes:
    filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 1}]
    return lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters)


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def lz4_block(data: bytes) -> bytes:
    compressed: bytes = lz4.block.compress(data, store_size=False)
    return compressed


def microlzma(data: bytes) -> bytes:
    """MicroLZMA out of a raw LZMA1 stream: the first byte is zero, and gives way."""
    filters = [{"id": lzma.FILTER_LZMA1, "preset": 6, "lc": 2, "lp": 1, "pb": 3}]
    raw = lzma.compress(data, lzma.FORMAT_RAW, filters=filters)
    assert raw[0] == 0
    return bytes([~((3 * 5 + 1) * 9 + 2) & 0xFF]) + raw[1:]


WHOLE: dict[str, tuple[Codec, Callable[[bytes], bytes]]] = {
    "zlib": (codecs.unzlib, zlib.compress),
    "xz": (codecs.unxz, lzma.compress),
    "xz-x86": (codecs.unxz, xz_x86),
    "lzma": (codecs.unlzma_alone, lambda data: lzma.compress(data, lzma.FORMAT_ALONE)),
    "lz4": (codecs.unlz4, lz4_block),
    "lzo": (codecs.unlzo, lambda data: LZOCompressor().compress(data)),
    "zstd": (codecs.unzstd, zstandard.ZstdCompressor().compress),
    "zstd-unsized": (
        codecs.unzstd,
        zstandard.ZstdCompressor(write_content_size=False).compress,
    ),
}
PREFIX: dict[str, tuple[Codec, Callable[[bytes], bytes]]] = {
    "deflate": (codecs.inflate_prefix, raw_deflate),
    "lzma": (codecs.microlzma_prefix, microlzma),
    "lz4": (codecs.lz4_prefix, lz4_block),
    "zstd": (codecs.zstd_prefix, zstandard.ZstdCompressor().compress),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_block_that_fits(name: str) -> None:
    decompress, compress = WHOLE[name]
    assert decompress(compress(PLAIN), len(PLAIN)) == PLAIN
    assert decompress(compress(PLAIN), len(PLAIN) + 1000) == PLAIN


@pytest.mark.parametrize("name", WHOLE)
def test_a_block_that_holds_too_much(name: str) -> None:
    decompress, compress = WHOLE[name]
    for plain in (PLAIN, bytes(8 << 20)):
        with pytest.raises(FormatError):
            decompress(compress(plain), len(PLAIN) - 1)


@pytest.mark.parametrize("name", PREFIX)
def test_prefixes(name: str) -> None:
    decompress, compress = PREFIX[name]
    for length in (1, 100, 4096, len(PLAIN)):
        assert decompress(compress(PLAIN), length) == PLAIN[:length]
    with pytest.raises(FormatError):
        decompress(compress(PLAIN), len(PLAIN) + 1)


@given(st.binary(max_size=200))
def test_arbitrary_bytes(data: bytes) -> None:
    for codec, _ in (*WHOLE.values(), *PREFIX.values()):
        with contextlib.suppress(FormatError):
            assert len(codec(data, 5000)) <= 5000


def test_a_frame_that_claims_a_petabyte() -> None:
    # Magic, a descriptor with an 8-byte content size and one segment, the size, one empty block.
    frame = b"\x28\xb5\x2f\xfd" + b"\xe0" + (1 << 50).to_bytes(8, "little") + b"\x01\0\0"
    with pytest.raises(FormatError, match="claims more"):
        codecs.unzstd(frame, 4096)
    with pytest.raises(FormatError):
        codecs.zstd_prefix(frame, 4096)


def test_a_dictionary_of_four_gigabytes() -> None:
    alone = bytearray(lzma.compress(PLAIN, lzma.FORMAT_ALONE))
    alone[1:5] = b"\xff\xff\xff\xff"
    with pytest.raises(FormatError):
        codecs.unlzma_alone(bytes(alone), len(PLAIN))


def test_the_cache_keeps_within_its_budget() -> None:
    cache = BlockCache(100)
    made = []

    def get(key: int) -> bytes:
        def make() -> bytes:
            made.append(key)
            return bytes([key]) * 40

        return cache.get(key, make)

    for key in (1, 2, 1, 3, 1, 2):
        assert get(key) == bytes([key]) * 40
    # 1 and 2 are kept; 3 pushes out 2, which was used longest ago; then 2 pushes out 3.
    assert made == [1, 2, 3, 2]


def test_a_block_above_the_budget_is_still_given() -> None:
    cache = BlockCache(10)
    assert cache.get("large", lambda: bytes(50)) == bytes(50)
    assert cache.get("small", lambda: b"x") == b"x"
