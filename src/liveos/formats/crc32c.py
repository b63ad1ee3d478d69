# SPDX-License-Identifier: Apache-2.0
"""CRC-32C (Castagnoli), as ext4 and EROFS keep it: started at all ones, not inverted at the end."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78  # reversed 0x1EDC6F41
_PIECE = 1024
_SHORT = 64  # below, a loop is quicker


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(_entry(byte) for byte in range(256))
_INDEX_OF_UPPER_BYTE = {word >> 24: index for index, word in enumerate(_TABLE)}


def crc32c(data: bytes, start: int = 0xFFFFFFFF) -> int:
    """The sum of ``data``, going on from the sum ``start`` of what lies before it."""
    if len(data) < _SHORT:
        return _crc_of_few(data, start)
    for place in range(0, len(data), _PIECE):
        start = _crc_of_piece(data[place : place + _PIECE], start)
    return start


def bytes_for(wanted: int, before: bytes, after: bytes) -> bytes:
    """The four bytes between ``before`` and ``after`` with which the sum of all is ``wanted``.

    A step of the sum can be taken back: the upper byte of its result names the entry of the table
    that was used. Two ways lead to the gap, one from each end; the bytes are their difference.
    """
    state = wanted
    for byte in reversed(bytes(4) + after):
        index = _INDEX_OF_UPPER_BYTE[state >> 24]
        state = (state ^ _TABLE[index]) << 8 & 0xFFFFFFFF | index ^ byte
    return (state ^ crc32c(before)).to_bytes(4, "little")


def _crc_of_few(data: bytes, crc: int) -> int:
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


def _crc_of_piece(piece: bytes, start: int) -> int:
    """The sum is linear: each byte adds what it would alone, with zeros behind it."""
    if len(piece) < _SHORT:
        return _crc_of_few(piece, start)
    values = np.frombuffer(piece, np.uint8).copy()
    values[:4] ^= np.frombuffer(start.to_bytes(4, "little"), np.uint8)
    contributions, places = _contributions()
    return int(np.bitwise_xor.reduce(contributions.take(places[-len(piece) :] + values)))


@cache
def _contributions() -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """For each place in a piece and each byte there: what it adds to the sum of the piece.

    The second array tells where in the first the 256 bytes of each place begin.
    """
    table = np.array(_TABLE, np.uint32)
    rows = np.empty((_PIECE, 256), np.uint32)
    rows[-1] = table
    for place in range(_PIECE - 2, -1, -1):
        behind = rows[place + 1]
        rows[place] = table[behind & 0xFF] ^ behind >> 8
    return rows.reshape(-1), np.arange(_PIECE) * 256
