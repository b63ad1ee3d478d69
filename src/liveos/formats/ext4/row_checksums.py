# SPDX-License-Identifier: Apache-2.0
"""Checksums of many equally long pieces of metadata at once, as ext4 keeps them.

A row is one piece. Both sums are kept as they are after the last byte, not inverted.
"""

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.uint32]
Rows = NDArray[np.uint8]

_CASTAGNOLI = 0x82F63B78  # reversed 0x1EDC6F41
_ANSI = 0xA001  # reversed 0x8005


def crc32c_rows(rows: Rows, start: int | Sums) -> Sums:
    """CRC-32C of each row, continued from ``start``: one value for all, or one for each."""
    return _rows(rows, start, _CRC32C)


def crc16_rows(rows: Rows, start: int | Sums) -> Sums:
    """CRC-16 of each row; group descriptors have it without metadata_csum."""
    return _rows(rows, start, _CRC16)


def _rows(rows: Rows, start: int | Sums, table: Sums) -> Sums:
    sums = np.empty(len(rows), np.uint32)
    sums[:] = start
    for column in np.ascontiguousarray(rows.T):
        sums = table[(sums ^ column) & 0xFF] ^ sums >> 8
    return sums


def _table(polynomial: int) -> Sums:
    table: Sums = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        odd = table & 1 != 0
        table = np.right_shift(table, 1, dtype=np.uint32)
        table[odd] ^= polynomial
    return table


_CRC32C = _table(_CASTAGNOLI)
_CRC16 = _table(_ANSI)
