# SPDX-License-Identifier: Apache-2.0
"""Files of lzop: LZO1X blocks with a header, as the kernel reads them (lib/decompress_unlzo.c)."""

from collections.abc import Iterator

from liveos.formats.binary import FormatError
from liveos.formats.compression.codecs import unlzo
from liveos.formats.compression.streams import Stream

_MAGIC_SIZE = 9
_LARGEST_BLOCK = 8 << 20  # lzop writes 256 KiB
_LEVEL_SINCE = 0x0940  # header versions from this on have three more fields

_ADLER32_PLAIN = 0x001
_ADLER32_PACKED = 0x002
_EXTRA_FIELD = 0x040
_CRC32_PLAIN = 0x100
_CRC32_PACKED = 0x200
_FILTER = 0x800


def read_lzop(stream: Stream) -> Iterator[bytes]:
    """The blocks of the file that the stream stands at.

    :raises FormatError: it is damaged or ends too soon. Checksums are not looked at.
    """
    flags = _read_header(stream)
    plain_sums = 4 * (bool(flags & _ADLER32_PLAIN) + bool(flags & _CRC32_PLAIN))
    packed_sums = 4 * (bool(flags & _ADLER32_PACKED) + bool(flags & _CRC32_PACKED))
    while plain_size := _number(stream, 4):
        packed_size = _number(stream, 4)
        if packed_size > plain_size or plain_size > _LARGEST_BLOCK:
            raise FormatError(f"an lzop block of {packed_size} bytes for {plain_size}")
        is_packed = packed_size < plain_size
        stream.skip(plain_sums + (packed_sums if is_packed else 0))
        data = stream.read(packed_size)
        if len(data) < packed_size:
            raise FormatError("an lzop file ends within a block")
        yield unlzo(data, plain_size) if is_packed else data


def _read_header(stream: Stream) -> int:
    """Go behind the header; its flags."""
    stream.skip(_MAGIC_SIZE)
    version = _number(stream, 2)
    has_level = version >= _LEVEL_SINCE
    stream.skip(6 if has_level else 3)  # versions of library and format, method, level
    flags = _number(stream, 4)
    stream.skip(4 if flags & _FILTER else 0)
    stream.skip(12 if has_level else 8)  # mode and times
    stream.skip(_number(stream, 1))  # name
    stream.skip(4)  # checksum
    if flags & _EXTRA_FIELD:
        stream.skip(_number(stream, 4) + 4)
    return flags


def _number(stream: Stream, size: int) -> int:
    raw = stream.read(size)
    if len(raw) < size:
        raise FormatError("an lzop file ends too soon")
    return int.from_bytes(raw, "big")
