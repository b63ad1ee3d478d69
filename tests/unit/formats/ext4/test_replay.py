# SPDX-License-Identifier: Apache-2.0
"""Replay of journals: recorded crashes against what e2fsck made of them, and hostile ones."""

import contextlib
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.formats.binary import FormatError, MemorySource, TruncatedError
from liveos.formats.ext4.journal import (
    MAGIC,
    BlockHeader,
    BlockType,
    JournalChecksumError,
    JournalError,
    JournalIncompat,
)
from liveos.formats.ext4.log import PendingFastCommitError
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.replay import RecoveredSource, recover
from liveos.formats.ext4.superblock import SUPERBLOCK_OFFSET, Compat, Incompat, Superblock
from tests.data.make_journal_fixtures import CLEAN, PENDING, fingerprint
from tests.unit.formats.ext4.journals import (
    CRASHED,
    NO_BLOCK_SUMS,
    facts,
    image,
    journal_of,
    log_blocks,
    offsets,
)

DAMAGED = ("ext4-1k", "data", "around", *NO_BLOCK_SUMS)


def whole(source: RecoveredSource) -> bytes:
    return source.read_at(0, source.size)


def patched(name: str, offset: int, data: bytes) -> MemorySource:
    old = image(name)
    return MemorySource(old[:offset] + data + old[offset + len(data) :])


def with_superblock(name: str, **changes: int | bytes) -> MemorySource:
    superblock = replace(
        Superblock.unpack(image(name), SUPERBLOCK_OFFSET),
        **changes,  # type: ignore[arg-type]
    )
    return patched(name, SUPERBLOCK_OFFSET, superblock.sealed().pack())


def with_journal(name: str, **changes: int) -> MemorySource:
    journal = journal_of(image(name))
    superblock = replace(journal.superblock, **changes).sealed()  # type: ignore[arg-type]
    return patched(name, journal.superblock_offset, superblock.pack())


@pytest.mark.parametrize("name", CRASHED)
def test_replay_is_that_of_e2fsck(name: str) -> None:
    data = image(name)
    recovered = recover(MemorySource(data))
    assert recovered.replayed
    assert recovered.corrupt_transaction is None
    assert fingerprint(data) != facts(name)["replayed"]
    assert fingerprint(whole(recovered)) == facts(name)["replayed"]


@pytest.mark.parametrize("name", CRASHED)
def test_changed_blocks(name: str) -> None:
    data = image(name)
    recovered = recover(MemorySource(data))
    size, blocks = recovered.block_size, recovered.changed_blocks
    assert (np.diff(blocks) > 0).all()
    assert {SUPERBLOCK_OFFSET // size, journal_of(data).superblock_offset // size} < {*blocks}
    after = whole(recovered)
    for block in {*range(len(data) // size)} - {*blocks.tolist()}:
        assert after[block * size : block * size + size] == data[block * size : block * size + size]


@pytest.mark.parametrize("name", CRASHED)
def test_the_result_is_a_clean_filesystem(name: str) -> None:
    recovered = recover(MemorySource(image(name)))
    again = recover(recovered)
    assert not again.replayed
    assert not len(again.changed_blocks)
    names = Ext4(recovered).listdir("/")
    assert "last" in names
    assert journal_of(recovered).superblock.start == 0


@pytest.mark.parametrize("name", ["around", "ext3-around"])
def test_the_recorded_logs_wrap_around(name: str) -> None:
    """The fixtures show what they are for."""
    places = [offset for offset, _ in log_blocks(image(name))]
    assert places != sorted(places)


@pytest.mark.parametrize("name", CLEAN)
def test_clean_filesystems_stay_as_they_are(name: str) -> None:
    recovered = recover(MemorySource(image(name)))
    assert not recovered.replayed
    assert not len(recovered.changed_blocks)
    assert whole(recovered) == image(name)


@pytest.mark.parametrize("name", PENDING)
def test_pending_fast_commits_are_refused(name: str) -> None:
    with pytest.raises(PendingFastCommitError, match="fast commits"):
        recover(MemorySource(image(name)))


@pytest.mark.parametrize("name", PENDING)
def test_fast_commits_of_another_transaction_do_not_count(name: str) -> None:
    """A full commit came after them. (e2fsck 1.47.0 fails with these: "Invalid argument".)"""
    journal = journal_of(image(name))
    head = journal.offset_of(journal.superblock.end + 1)
    sequence = int.from_bytes(image(name)[head + 8 : head + 12], "little")
    source = patched(name, head + 8, (sequence - 1).to_bytes(4, "little"))
    assert "second" in Ext4(recover(source)).listdir("/")


@given(st.integers(0, 1 << 23), st.integers(0, 1 << 14))
def test_reading_anywhere(offset: int, length: int) -> None:
    recovered = recovered_once()
    expected = whole_once()[offset : offset + length]
    if offset + length <= recovered.size:
        assert recovered.read_at(offset, length) == expected
    else:
        with pytest.raises(TruncatedError):
            recovered.read_at(offset, length)


def recovered_once(found: list[RecoveredSource] = []) -> RecoveredSource:  # noqa: B006 - kept
    if not found:
        found.append(recover(MemorySource(image("data"))))
    return found[0]


def whole_once(found: list[bytes] = []) -> bytes:  # noqa: B006 - kept
    if not found:
        found.append(whole(recovered_once()))
    return found[0]


def test_a_log_without_needs_recovery_does_not_count() -> None:
    """As for the kernel, which wipes it; e2fsck asks what to do."""
    incompat = Superblock.unpack(image("ext4-1k"), 1024).incompat
    source = with_superblock("ext4-1k", incompat=incompat & ~Incompat.needs_recovery)
    assert not recover(source).replayed


def test_needs_recovery_with_an_empty_log() -> None:
    """Nothing to replay; the sequence goes on, as in e2fsck's j_tail_sequence."""
    sequence = journal_of(image("ext4-1k")).superblock.start_sequence
    recovered = recover(with_journal("ext4-1k", start=0))
    assert recovered.replayed
    assert len(recovered.changed_blocks) == 2
    assert journal_of(recovered).superblock.start_sequence == sequence + 1


def test_sequences_wrap_around_at_32_bits() -> None:
    """All headers of a log without checksums are moved to the end of the numbers."""
    data = bytearray(image("ext3"))
    journal = journal_of(image("ext3"))
    shift = 0xFFFFFFFE - journal.superblock.start_sequence
    found = log_blocks(image("ext3"))
    for offset, header in found:
        data[offset + 8 : offset + 12] = ((header.sequence + shift) % 2**32).to_bytes(4, "big")
    start = journal.superblock_offset
    moved = replace(journal.superblock, start_sequence=0xFFFFFFFE)
    data[start : start + 1024] = moved.pack()
    recovered = recover(MemorySource(bytes(data)))
    last = max(header.sequence for _, header in found)
    superblock = journal_of(recovered).superblock
    assert superblock.start_sequence == (last + shift + 2) % 2**32
    assert last + shift > 2**32
    plain = recover(MemorySource(image("ext3")))
    for block in plain.changed_blocks.tolist():
        if block not in {1, start // 1024}:
            assert recovered.read_at(block * 1024, 1024) == plain.read_at(block * 1024, 1024)


@pytest.mark.parametrize("name", ["ext4-1k", "sums-v1"])
def test_a_damaged_commit_block_ends_the_replay(name: str) -> None:
    commits = [at for at, header in log_blocks(image(name)) if header.kind == BlockType.COMMIT]
    third = commits[2]
    recovered = recover(patched(name, third + 16, b"damage"))
    assert recovered.corrupt_transaction == BlockHeader.unpack(image(name), third).sequence
    assert Superblock.read(recovered, SUPERBLOCK_OFFSET).state & 2


def test_damage_inside_a_transaction_is_no_replay() -> None:
    """Half a transaction is worse than none."""
    *_, last = offsets(image("ext4-1k"), BlockType.DESCRIPTOR)
    with pytest.raises(JournalChecksumError, match="transaction"):
        recover(patched("ext4-1k", last + 12, b"damage"))
    with pytest.raises(JournalChecksumError, match="the copy of block"):
        recover(patched("ext4-1k", last + 1024 + 12, b"damage"))


def test_an_error_in_the_journal_is_handed_on() -> None:
    recovered = recover(with_journal("ext4-1k", errno=5))
    assert Superblock.read(recovered, SUPERBLOCK_OFFSET).state & 2
    assert journal_of(recovered).superblock.errno == 0


Damage = list[tuple[int, int, int]]
DAMAGE = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, 1023), st.integers(0, 255)), max_size=6
)


@pytest.mark.parametrize("name", DAMAGED)
@settings(max_examples=30, deadline=2000)
@given(damage=DAMAGE, heads=st.booleans())
def test_damaged_journals(name: str, damage: Damage, heads: bool) -> None:
    """Bytes of the log, of the journal's superblock and its inode are replaced."""
    data, journal = bytearray(image(name)), journal_of(image(name))
    places = [journal.offset_of(block) for block in range(300)]
    if heads:
        places = [offset for offset, _ in log_blocks(image(name))] + [journal.superblock_offset]
    for block, place, value in damage:
        data[places[block % len(places)] + place % (80 if heads else 1024)] = value
    try:
        recovered = recover(MemorySource(bytes(data)))
    except FormatError:
        return
    assert len(whole(recovered)) == len(data)


@pytest.mark.parametrize("name", NO_BLOCK_SUMS)
@settings(max_examples=30, deadline=2000)
@given(noise=st.binary(min_size=1, max_size=5000), kind=st.sampled_from(list(BlockType)))
def test_logs_of_noise(name: str, noise: bytes, kind: BlockType) -> None:
    journal = journal_of(image(name)).superblock
    header = BlockHeader(MAGIC, kind, journal.start_sequence).pack()
    start = journal_of(image(name)).offset_of(journal.start)
    try:
        recover(patched(name, start, header + noise))
    except JournalError:
        return


@pytest.mark.parametrize("kind", [BlockType.DESCRIPTOR, BlockType.REVOKE])
def test_a_log_that_runs_in_a_circle(kind: BlockType) -> None:
    """Every block of it says that the transaction goes on: the kernel's walk would not end."""
    journal = journal_of(image("ext3"))
    header = BlockHeader(MAGIC, kind, journal.superblock.start_sequence).pack()
    data = bytearray(image("ext3"))
    for block in range(1, journal.superblock.blocks):
        offset = journal.offset_of(block)
        data[offset : offset + 16] = header + b"\xff\xff\xff\x08"
        data[offset + 16 : offset + 20] = b"\xff\xff\xff\xff"  # the flags of a first tag
    began = time.monotonic()
    with contextlib.suppress(JournalError):
        assert recover(MemorySource(bytes(data))).replayed
    assert time.monotonic() - began < 2


def test_a_transaction_that_only_revokes() -> None:
    """Blocks of which there is no copy, the first and the last that can be named."""
    journal = journal_of(image("ext3")).superblock
    header = (MAGIC, BlockType.REVOKE, journal.start_sequence)
    revoke = BlockHeader(*header).pack() + (24).to_bytes(4, "big") + bytes(4) + b"\xff" * 4
    commit = BlockHeader(MAGIC, BlockType.COMMIT, journal.start_sequence).pack()
    start = journal_of(image("ext3")).offset_of(journal.start)
    log = revoke.ljust(1024, b"\0") + commit.ljust(2048, b"\0")
    recovered = recover(patched("ext3", start, log))
    assert len(recovered.changed_blocks) == 2
    assert journal_of(recovered).superblock.start_sequence == journal.start_sequence + 2


def test_a_copy_of_a_block_behind_the_end() -> None:
    """e2fsck makes the image larger; here that is an error."""
    first = offsets(image("ext3"), BlockType.DESCRIPTOR)[0]
    with pytest.raises(JournalError, match="block 2147483648 of 8192"):
        recover(patched("ext3", first + 12, (1 << 31).to_bytes(4, "big")))


def test_a_copy_of_a_block_of_the_journal() -> None:
    """e2fsck overwrites the log while it reads it; no filesystem journals its journal."""
    first = offsets(image("ext3"), BlockType.DESCRIPTOR)[0]
    inside = journal_of(image("ext3")).offset_of(900) // 1024
    with pytest.raises(JournalError, match="its own blocks"):
        recover(patched("ext3", first + 12, inside.to_bytes(4, "big")))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"journal_uuid": b"x" * 16}, "another device"),
        ({"journal_inode": 0}, "another device"),
        ({"journal_inode": 9}, "inode 9"),
    ],
)
def test_journals_that_are_elsewhere(changes: dict[str, int | bytes], words: str) -> None:
    with pytest.raises(JournalError, match=words):
        recover(with_superblock("ext3", **changes))


def test_recovery_without_a_journal() -> None:
    compat = Superblock.unpack(image("ext3"), 1024).compat
    with pytest.raises(JournalError, match="no journal"):
        recover(with_superblock("ext3", compat=compat & ~Compat.has_journal))


@pytest.mark.parametrize("value", [0, 3, 1 << 31, 8191])
def test_an_inode_table_that_is_elsewhere(value: int) -> None:
    with pytest.raises(FormatError):
        recover(patched("ext3", 2048 + 8, value.to_bytes(4, "little")))


@settings(max_examples=60)
@given(st.integers(0, 127), st.binary(min_size=1, max_size=8), st.sampled_from(["ext3", "ext4-1k"]))
def test_damaged_inodes_of_journals(place: int, value: bytes, name: str) -> None:
    """Extent trees and indirect blocks that lead anywhere."""
    superblock = Superblock.unpack(image(name), 1024)
    table = int.from_bytes(image(name)[2048 + 8 : 2048 + 12], "little")
    inode = table * 1024 + 7 * superblock.inode_size
    try:
        recover(patched(name, inode + place, value))
    except FormatError:
        return


@pytest.mark.parametrize("blocks", [1 << 31, 100])
def test_journals_longer_or_shorter_than_their_file(blocks: int) -> None:
    with pytest.raises(JournalError):
        recover(with_journal("ext3", blocks=blocks))


def test_asynchronous_commits_may_be_interrupted() -> None:
    """With them a commit block can be there before its transaction: no damage."""
    journal = journal_of(image("async")).superblock
    assert journal.incompat & JournalIncompat.ASYNC_COMMIT
    last = offsets(image("async"), BlockType.COMMIT)[-1]
    recovered = recover(patched("async", last + 16, b"damage"))
    assert recovered.corrupt_transaction is None
    sequence = BlockHeader.unpack(image("async"), last).sequence
    assert journal_of(recovered).superblock.start_sequence == sequence + 1
