# SPDX-License-Identifier: Apache-2.0
"""Owners in a new Btrfs: tree blocks in which every inode belongs to root.

Layout: fs/btrfs/btrfs_tree.h (include/uapi/linux) of the kernel. Each tree block carries the
filesystem's UUID, the number of its tree and a checksum of itself, so that blocks are found without
following the trees.
"""

import struct
from collections.abc import Iterable, Iterator

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.crc32c import crc32c

_SUPERBLOCK = 64 << 10
_MAGIC = b"_BHRfS_M"
_CRC32C = 0
_LARGEST_NODE = 64 << 10
_SECTOR = 4096
_HEADER = 101
_ITEM = struct.Struct("<QBQII")  # key: objectid, type, offset; where its data lies, its size
_FS_TREE = 5
_INODE_ITEM = 1
_INODE_SIZE = 160
_OWNER = 44  # of an inode item: uid and gid, 32 bits each


def blocks_of_root(
    source: ByteSource, ranges: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, bytes]]:
    """(offset, new content) of the leaves of the main tree, with all their inodes given to root.

    ``ranges`` are (start, length) in which to look for them.

    :raises FormatError: it is no Btrfs, or one whose checksums are not CRC-32C.
    """
    facts = source.read_at(_SUPERBLOCK, 4096)
    if facts[64:72] != _MAGIC:
        raise FormatError("no Btrfs")
    node_size = int.from_bytes(facts[148:152], "little")
    if int.from_bytes(facts[196:198], "little") != _CRC32C or not (
        _SECTOR <= node_size <= _LARGEST_NODE
    ):
        raise FormatError("a Btrfs with other checksums or tree blocks than are known here")
    for start, length in ranges:
        for offset in range(-(-start // _SECTOR) * _SECTOR, start + length - _HEADER, _SECTOR):
            if _is_leaf(source.read_at(offset, _HEADER), facts[32:48]):
                block = source.read_at(offset, min(node_size, source.size - offset))
                if block[:4] == _sum(block):
                    yield offset, _given_to_root(block)


def _is_leaf(header: bytes, uuid: bytes) -> bool:
    """Whether a block says that it is a leaf of the tree with the files."""
    owner = int.from_bytes(header[88:96], "little")
    return header[32:48] == uuid and owner == _FS_TREE and header[100] == 0


def _given_to_root(block: bytes) -> bytes:
    new = bytearray(block)
    count = min(int.from_bytes(block[96:100], "little"), (len(block) - _HEADER) // _ITEM.size)
    for index in range(count):
        _, kind, _, offset, size = _ITEM.unpack_from(block, _HEADER + index * _ITEM.size)
        place = _HEADER + offset + _OWNER
        if kind == _INODE_ITEM and size == _INODE_SIZE and place + 8 <= len(block):
            new[place : place + 8] = bytes(8)
    new[:4] = _sum(bytes(new))
    return bytes(new)


def _sum(block: bytes) -> bytes:
    """What a tree block begins with: the inverted sum of all but the place for sums."""
    return (crc32c(block[32:]) ^ 0xFFFFFFFF).to_bytes(4, "little")
