# SPDX-License-Identifier: Apache-2.0
"""Records of journals: layouts and checksums."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import FormatError
from liveos.formats.crc32c import crc32c
from liveos.formats.ext4.journal import (
    MAGIC,
    BlockHeader,
    BlockType,
    CommitBlock,
    JournalCompat,
    JournalError,
    JournalIncompat,
    JournalSuperblock,
    Tag,
    TagFlag,
    checksum_v1,
    commit_checksum,
    revoked_blocks,
    tag_checksum,
    tags,
    tail_matches,
)
from tests.unit.formats.ext4.journals import CRASHED, image, journal_of, offsets

PLAIN = journal_of(image("ext3")).superblock
FEATURES = st.sampled_from(
    [
        wide | sums
        for wide in (0, JournalIncompat.WIDE)
        for sums in (0, JournalIncompat.CSUM_V2, JournalIncompat.CSUM_V3)
    ]
)


def with_features(features: int) -> JournalSuperblock:
    return replace(PLAIN, incompat=features, checksum_type=4).sealed()


def changed(superblock: JournalSuperblock, change: dict[str, int]) -> JournalSuperblock:
    return replace(superblock, **change)  # type: ignore[arg-type] # only fields of numbers


def test_sizes() -> None:
    """As jbd2.h has them."""
    assert JournalSuperblock.layout().size == 1024
    assert CommitBlock.layout().size == 60
    assert BlockHeader.layout().size == 12


@pytest.mark.parametrize(
    ("features", "size"),
    [
        (0, 8),
        (JournalIncompat.WIDE, 12),
        (JournalIncompat.CSUM_V2, 10),
        (JournalIncompat.CSUM_V2 | JournalIncompat.WIDE, 14),
        (JournalIncompat.CSUM_V3, 16),
        (JournalIncompat.CSUM_V3 | JournalIncompat.WIDE, 16),
    ],
)
def test_tag_sizes(features: int, size: int) -> None:
    """As ``journal_tag_bytes`` of the kernel counts them."""
    superblock = with_features(features)
    assert superblock.tag_size == size
    assert len(Tag(1, 2, 3).pack(superblock)) == size


@given(FEATURES, st.integers(0, 2**64 - 1), st.integers(0, 15), st.integers(0, 2**32 - 1))
def test_tags_round_trip(features: int, block: int, flags: int, checksum: int) -> None:
    superblock = with_features(features)
    wide = features & JournalIncompat.WIDE
    sums = 32 if features & JournalIncompat.CSUM_V3 else 16
    tag = Tag(block if wide else block % 2**32, flags, checksum % 2**sums)
    assert Tag.unpack(b"x" + tag.pack(superblock) + bytes(12), 1, superblock) == tag


@given(FEATURES, st.binary(min_size=64, max_size=4096))
def test_arbitrary_blocks(features: int, block: bytes) -> None:
    superblock = with_features(features)
    assert len(list(tags(block, superblock))) <= len(block) // 8
    tail_matches(block, superblock)
    CommitBlock.unpack(block).matches(block, superblock, 0)
    with contextlib.suppress(JournalError):
        assert revoked_blocks(block, superblock).dtype == np.uint64


@given(st.binary(max_size=1100), st.sampled_from([1024, 4096]))
def test_arbitrary_superblocks(data: bytes, block_size: int) -> None:
    header = BlockHeader(MAGIC, BlockType.SUPERBLOCK_V2, 0).pack()
    with contextlib.suppress(FormatError):
        JournalSuperblock.checked(header + data, block_size)


@pytest.mark.parametrize(
    "change",
    [
        {"magic": 0},
        {"kind": BlockType.COMMIT},
        {"block_size": 2048},
        {"first": 0},
        {"first": PLAIN.blocks},
        {"start": PLAIN.blocks},
        {"ro_compat": 1},
        {"incompat": 0x40},
        {"incompat": JournalIncompat.CSUM_V2 | JournalIncompat.CSUM_V3, "checksum_type": 4},
        {"incompat": JournalIncompat.CSUM_V3, "compat": JournalCompat.CHECKSUM},
        {"incompat": JournalIncompat.CSUM_V3, "checksum_type": 4, "checksum": 1},
        {"incompat": JournalIncompat.CSUM_V3, "checksum_type": 1},
        {"incompat": JournalIncompat.FAST_COMMIT, "fast_commit_blocks": 2000},
    ],
)
def test_superblocks_that_the_kernel_refuses(change: dict[str, int]) -> None:
    JournalSuperblock.checked(PLAIN.pack(), 1024)
    with pytest.raises(JournalError):
        JournalSuperblock.checked(changed(PLAIN, change).pack(), 1024)


def test_a_superblock_of_version_1_has_no_features() -> None:
    old = replace(PLAIN, kind=BlockType.SUPERBLOCK_V1, incompat=0xFFFFFFFF, ro_compat=1)
    assert JournalSuperblock.checked(old.pack(), 1024).incompat == 0


def test_checksum_v1_is_crc32_with_the_most_significant_bit_first() -> None:
    """The check value of CRC-32/MPEG-2 in the catalogue of parametrised CRCs."""
    assert checksum_v1(b"123456789") == 0x0376E6E7
    assert checksum_v1(b"6789", checksum_v1(b"12345")) == 0x0376E6E7


@given(st.binary(max_size=3000), st.integers(0, 2**32 - 1))
def test_crc32c_of_pieces_is_that_of_bytes(data: bytes, start: int) -> None:
    """The quick way for blocks against the plain one, which has published check values."""
    one_by_one = start
    for byte in data:
        one_by_one = crc32c(bytes([byte]), one_by_one)
    assert crc32c(data, start) == one_by_one


@pytest.mark.parametrize("name", CRASHED)
def test_sums_of_recorded_journals(name: str) -> None:
    """What the kernel wrote matches, and does not once a bit is another."""
    data = image(name)
    superblock = journal_of(data).superblock
    if not superblock.has_block_checksums:
        return
    size = superblock.block_size
    for kind in (BlockType.DESCRIPTOR, BlockType.REVOKE):
        for offset in offsets(data, kind):
            block = data[offset : offset + size]
            assert tail_matches(block, superblock)
            assert not tail_matches(block[:20] + bytes([block[20] ^ 1]) + block[21:], superblock)
    for offset in offsets(data, BlockType.COMMIT):
        block = data[offset : offset + size]
        commit = CommitBlock.unpack(block)
        assert commit.checksum == commit_checksum(block, superblock)
        assert commit.matches(block, superblock, 0)
        assert not commit.matches(b"x" + block[1:], superblock, 0)


def test_sums_of_copies() -> None:
    journal = journal_of(image("data"))
    superblock = journal.superblock
    escaped = 0
    for place in range(superblock.first, superblock.blocks):
        block = journal.read(place)
        header = BlockHeader.unpack(block)
        if (header.magic, header.kind) != (MAGIC, BlockType.DESCRIPTOR):
            continue
        for number, tag in enumerate(tags(block, superblock), 1):
            copy = journal.read(place + number)
            assert tag_checksum(copy, header.sequence, superblock) == tag.checksum
            if tag.flags & TagFlag.ESCAPE:
                escaped += 1
                assert copy[:4] == bytes(4)
    assert escaped > 0
