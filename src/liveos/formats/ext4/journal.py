# SPDX-License-Identifier: Apache-2.0
"""The journal of ext3 and ext4: what jbd2 writes into its blocks, and how it sums them.

From ``include/linux/jbd2.h`` and ``fs/jbd2`` of the kernel. All numbers are big-endian. A
transaction is a run of descriptor blocks, each followed by copies of the blocks that its tags
name, and of revoke blocks, ended by a commit block.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import FormatError, Record, u8, u16, u32, u64
from liveos.formats.crc32c import crc32c

MAGIC = 0xC03B3998
MAGIC_BYTES = MAGIC.to_bytes(4, "big")
TAIL_SIZE = 4  # the checksum that ends a descriptor or revoke block
UUID_SIZE = 16
_CHECKSUM_CRC32 = 1
_CHECKSUM_CRC32C = 4
_DEFAULT_FAST_COMMIT_BLOCKS = 256


class JournalError(FormatError):
    """A journal that cannot be used as it is."""


class JournalChecksumError(JournalError):
    """A committed transaction is damaged: neither the kernel nor e2fsck replays it whole."""


class BlockType(IntEnum):
    """What a block with the journal's magic is."""

    DESCRIPTOR = 1
    COMMIT = 2
    SUPERBLOCK_V1 = 3
    SUPERBLOCK_V2 = 4
    REVOKE = 5


class JournalCompat(IntFlag):
    """Features of a journal that need not be known."""

    CHECKSUM = 0x1  # v1: the commit block sums the whole transaction


class JournalIncompat(IntFlag):
    """Features without which a journal cannot be replayed."""

    REVOKE = 0x1
    WIDE = 0x2  # 64bit
    ASYNC_COMMIT = 0x4
    CSUM_V2 = 0x8
    CSUM_V3 = 0x10
    FAST_COMMIT = 0x20


class TagFlag(IntFlag):
    """What a tag says about its block."""

    ESCAPE = 0x1  # the block began with the magic, which the log holds as zeros
    SAME_UUID = 0x2  # no UUID follows the tag
    LAST = 0x8


@dataclass(frozen=True)
class BigEndianRecord(Record):
    """A record in the byte order of journals."""

    byte_order: ClassVar[str] = ">"


@dataclass(frozen=True)
class BlockHeader(BigEndianRecord):
    """Begins every block of a journal that is no copy of another one."""

    magic: u32
    kind: u32
    sequence: u32


@dataclass(frozen=True)
class JournalSuperblock(BlockHeader):
    """The first 1024 bytes of a journal."""

    block_size: u32
    blocks: u32
    first: u32
    start_sequence: u32
    start: u32
    errno: u32
    compat: u32
    incompat: u32
    ro_compat: u32
    uuid: Annotated[bytes, "16s"]
    users: u32
    dynamic_superblock: u32
    most_blocks: u32
    most_data: u32
    checksum_type: u8
    padding: Annotated[bytes, "3s"]
    fast_commit_blocks: u32
    head: u32
    reserved: Annotated[bytes, "160s"]
    checksum: u32
    user_uuids: Annotated[bytes, "768s"]

    @property
    def has_block_checksums(self) -> bool:
        """Each block is summed (v2 and v3)."""
        return bool(self.incompat & (JournalIncompat.CSUM_V2 | JournalIncompat.CSUM_V3))

    @property
    def end(self) -> int:
        """The log wraps around before this block; fast commits lie behind."""
        if self.incompat & JournalIncompat.FAST_COMMIT:
            return self.blocks - (self.fast_commit_blocks or _DEFAULT_FAST_COMMIT_BLOCKS)
        return self.blocks

    @property
    def tag_size(self) -> int:
        """Bytes of a tag, without the UUID that may follow it (``journal_tag_bytes``)."""
        if self.incompat & JournalIncompat.CSUM_V3:
            return 16
        size = 12 if self.incompat & JournalIncompat.WIDE else 8
        # Two bytes too many, and so they stay: a mistake of the kernel that became the format.
        return size + 2 if self.incompat & JournalIncompat.CSUM_V2 else size

    @property
    def seed(self) -> int:
        """Where the sums of v2 and v3 begin."""
        return crc32c(self.uuid)

    @classmethod
    def checked(cls, data: bytes, block_size: int) -> Self:
        """The superblock of a journal whose filesystem has blocks of ``block_size``.

        :raises JournalError: what the kernel refuses to load too.
        """
        superblock = cls.unpack(data)
        if superblock.magic != MAGIC:
            raise JournalError("the journal has no superblock")
        if superblock.kind == BlockType.SUPERBLOCK_V1:
            superblock = replace(superblock, compat=0, incompat=0, ro_compat=0)
        elif superblock.kind != BlockType.SUPERBLOCK_V2:
            raise JournalError(f"the journal's superblock has the unknown type {superblock.kind}")
        superblock.check_features()
        superblock.check_geometry(block_size)
        return superblock

    def sealed(self) -> Self:
        """The same with the checksum that its fields have, where the journal keeps one."""
        if not self.has_block_checksums:
            return self
        return replace(self, checksum=crc32c(replace(self, checksum=0).pack()))

    def check_features(self) -> None:
        """`JournalError` for unknown features and for a checksum that does not match."""
        unknown = self.incompat & ~sum(JournalIncompat)
        if unknown or self.ro_compat:
            raise JournalError(
                f"the journal has unknown features {unknown:#x}, {self.ro_compat:#x}"
            )
        sums = (
            self.compat & JournalCompat.CHECKSUM,
            self.incompat & JournalIncompat.CSUM_V2,
            self.incompat & JournalIncompat.CSUM_V3,
        )
        if sum(map(bool, sums)) > 1:
            raise JournalError("the journal has two kinds of checksums")
        if self.has_block_checksums and (
            self.checksum_type != _CHECKSUM_CRC32C or self.sealed() != self
        ):
            raise JournalError("the journal's superblock does not match its checksum")

    def check_geometry(self, block_size: int) -> None:
        """`JournalError` when the log cannot lie where this says."""
        if (
            self.block_size != block_size
            or not 0 < self.first < self.end <= self.blocks
            or (self.start and not self.first <= self.start < self.end)
        ):
            raise JournalError("the journal's superblock describes an impossible layout")


@dataclass(frozen=True)
class TagRecord(BigEndianRecord):
    """A tag without block checksums, or with those of v2; 64bit journals have the upper half."""

    block: u32
    checksum: u16
    flags: u16


@dataclass(frozen=True)
class TagRecordV3(BigEndianRecord):
    """A tag of a journal with checksums v3."""

    block: u32
    flags: u32
    block_high: u32
    checksum: u32


@dataclass(frozen=True, slots=True)
class Tag:
    """Where a block of the log belongs, and its sum (16 bits in v2, 32 in v3)."""

    block: int
    flags: int
    checksum: int

    @classmethod
    def unpack(cls, data: bytes, offset: int, journal: JournalSuperblock) -> Self:
        wide = journal.incompat & JournalIncompat.WIDE
        if journal.incompat & JournalIncompat.CSUM_V3:
            third = TagRecordV3.unpack(data, offset)
            high = third.block_high if wide else 0
            return cls(third.block | high << 32, third.flags & 0xFFFF, third.checksum)
        tag = TagRecord.unpack(data, offset)
        high = int.from_bytes(data[offset + 8 : offset + 12], "big") if wide else 0
        return cls(tag.block | high << 32, tag.flags, tag.checksum)

    def pack(self, journal: JournalSuperblock) -> bytes:
        low, high = self.block & 0xFFFFFFFF, self.block >> 32
        if journal.incompat & JournalIncompat.CSUM_V3:
            return TagRecordV3(low, self.flags, high, self.checksum).pack()
        record = TagRecord(low, self.checksum, self.flags).pack() + high.to_bytes(4, "big")
        return record.ljust(journal.tag_size, b"\0")[: journal.tag_size]


@dataclass(frozen=True)
class CommitBlock(BlockHeader):
    """Ends a transaction."""

    checksum_type: u8
    checksum_size: u8
    padding: u16
    checksum: u32
    more_checksums: Annotated[bytes, "28s"]
    seconds: u64
    nanoseconds: u32

    def matches(self, block: bytes, journal: JournalSuperblock, sum_of_all: int) -> bool:
        """Whether the transaction that this block ends is whole, as far as it is summed here.

        ``sum_of_all`` is the `checksum_v1` over its descriptors and copies. In v2 and v3 a
        commit block may be cut off behind its fields, as the kernel takes it too.
        """
        if journal.compat & JournalCompat.CHECKSUM:
            stated = (self.checksum_type, self.checksum_size, self.checksum)
            return stated in {(_CHECKSUM_CRC32, 4, sum_of_all), (0, 0, 0)}
        if not journal.has_block_checksums:
            return True
        size = self.layout().size
        cut_off = block[:size].ljust(len(block), b"\0")
        return self.checksum in {commit_checksum(block, journal), commit_checksum(cut_off, journal)}


def tags(block: bytes, journal: JournalSuperblock) -> Iterator[Tag]:
    """The tags of a descriptor block."""
    end = len(block) - (TAIL_SIZE if journal.has_block_checksums else 0)
    offset, size = BlockHeader.layout().size, journal.tag_size
    while offset + size <= end:
        tag = Tag.unpack(block, offset, journal)
        yield tag
        if tag.flags & TagFlag.LAST:
            return
        offset += size + (0 if tag.flags & TagFlag.SAME_UUID else UUID_SIZE)


def revoked_blocks(block: bytes, journal: JournalSuperblock) -> NDArray[np.uint64]:
    """The numbers in a revoke block."""
    offset = BlockHeader.layout().size + 4
    end = int.from_bytes(block[offset - 4 : offset], "big")
    if end > len(block) - (TAIL_SIZE if journal.has_block_checksums else 0):
        raise JournalError(f"a revoke block claims {end} bytes")
    layout = ">u8" if journal.incompat & JournalIncompat.WIDE else ">u4"
    count = max(0, end - offset) // np.dtype(layout).itemsize
    return np.frombuffer(block, layout, count, offset).astype(np.uint64)


def tail_matches(block: bytes, journal: JournalSuperblock) -> bool:
    """Whether a descriptor or revoke block is whole, as far as it is summed."""
    if not journal.has_block_checksums:
        return True
    return tail_checksum(block, journal) == int.from_bytes(block[-TAIL_SIZE:], "big")


def tail_checksum(block: bytes, journal: JournalSuperblock) -> int:
    """What the last four bytes of a descriptor or revoke block say in v2 and v3."""
    return crc32c(block[:-TAIL_SIZE] + bytes(TAIL_SIZE), journal.seed)


def commit_checksum(block: bytes, journal: JournalSuperblock) -> int:
    """What a commit block says of itself in v2 and v3."""
    return crc32c(block[:16] + bytes(4) + block[20:], journal.seed)


def tag_checksum(copy: bytes, sequence: int, journal: JournalSuperblock) -> int:
    """What a tag says of the copy in the log (escaped, if it is) in v2 and v3."""
    whole = crc32c(copy, crc32c(sequence.to_bytes(4, "big"), journal.seed))
    return whole if journal.incompat & JournalIncompat.CSUM_V3 else whole & 0xFFFF


def checksum_v1(data: bytes, start: int = 0xFFFFFFFF) -> int:
    """CRC-32, most significant bit first: what commit blocks of v1 sum a transaction with.

    zlib has the one with least significant bits first, inverted at both ends.
    """
    crc = zlib.crc32(data.translate(_MIRRORED), _mirrored(start) ^ 0xFFFFFFFF)
    return _mirrored(crc ^ 0xFFFFFFFF)


def _mirrored(word: int) -> int:
    return int.from_bytes(word.to_bytes(4, "big").translate(_MIRRORED), "little")


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
