# SPDX-License-Identifier: Apache-2.0
"""CRC-32C (Castagnoli), as ext4 and EROFS keep it: started at all ones, not inverted at the end."""

_POLYNOMIAL = 0x82F63B78  # reversed 0x1EDC6F41


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(_entry(byte) for byte in range(256))


def crc32c(data: bytes, start: int = 0xFFFFFFFF) -> int:
    """The sum of a superblock; slow beyond some kilobytes."""
    crc = start
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc
