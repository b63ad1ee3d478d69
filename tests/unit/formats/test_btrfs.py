# SPDX-License-Identifier: Apache-2.0
"""Owners in tree blocks; what mkfs.btrfs makes is judged in tests/tools/operations."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.btrfs import blocks_of_root

UUID = bytes(range(16))
NODE = 4096


def superblock() -> bytes:
    """The fields of struct btrfs_super_block that are read."""
    fields = bytearray(4096)
    fields[32:48], fields[64:72] = UUID, b"_BHRfS_M"
    fields[148:152] = NODE.to_bytes(4, "little")
    return bytes(fields)


def castagnoli(data: bytes) -> int:
    """The checksum bit by bit (RFC 3720, B.4)."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def leaf(owner: int, level: int = 0) -> bytes:
    """A leaf with one inode, of user 1000."""
    block = bytearray(NODE)
    block[32:48] = UUID
    block[88:96] = owner.to_bytes(8, "little")
    block[96:100], block[100] = (1).to_bytes(4, "little"), level
    struct.pack_into("<QBQII", block, 101, 257, 1, 0, 3000, 160)
    struct.pack_into("<II", block, 101 + 3000 + 44, 1000, 1001)
    block[:4] = castagnoli(bytes(block[32:])).to_bytes(4, "little")
    return bytes(block)


def medium(block: bytes) -> MemorySource:
    return MemorySource(bytes(64 << 10) + superblock() + bytes(NODE) + block)


def test_an_inode_gets_to_root() -> None:
    source = medium(leaf(5))
    ((offset, block),) = blocks_of_root(source, [(0, source.size)])
    assert offset == (64 << 10) + 2 * 4096
    assert struct.unpack_from("<II", block, 101 + 3000 + 44) == (0, 0)
    assert int.from_bytes(block[:4], "little") == castagnoli(block[32:])
    changed = [
        index for index, pair in enumerate(zip(leaf(5), block, strict=True)) if len(set(pair)) > 1
    ]
    assert set(changed) <= {*range(4), *range(3145, 3153)}


@pytest.mark.parametrize("block", [leaf(2), leaf(5, level=1), leaf(5)[:-1] + b"x"])
def test_other_blocks_stay(block: bytes) -> None:
    source = medium(block)
    assert list(blocks_of_root(source, [(0, source.size)])) == []


def test_another_filesystem_is_an_error() -> None:
    with pytest.raises(FormatError):
        list(blocks_of_root(MemorySource(bytes(1 << 17)), []))


@given(st.binary(max_size=3 * NODE))
def test_any_bytes_give_blocks_or_nothing(data: bytes) -> None:
    source = medium(data)
    for offset, block in blocks_of_root(source, [(0, source.size)]):
        assert offset + len(block) <= source.size
