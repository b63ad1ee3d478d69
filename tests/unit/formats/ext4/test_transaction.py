# SPDX-License-Identifier: Apache-2.0
"""Transactions cut off anywhere are the old blocks or the new ones, once recovered."""

import random
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import ByteSource, MemorySource
from liveos.formats.crc32c import bytes_for, crc32c
from liveos.formats.ext4.journal import (
    MAGIC_BYTES,
    BlockHeader,
    BlockType,
    JournalError,
    JournalIncompat,
    TagFlag,
    tags,
)
from liveos.formats.ext4.replay import recover
from liveos.formats.ext4.superblock import SUPERBLOCK_OFFSET, Incompat, Superblock
from liveos.formats.ext4.transaction import (
    NoJournalError,
    TransactionTooLargeError,
    write_transaction,
)
from tests.unit.formats.ext4.journals import image, journal_of
from tests.unit.formats.ext4.power_cuts import Disk

NAMES = ("ext4", "ext4-1k", "ext4-narrow", "ext4-plain", "ext4-wide", "ext3", "sums-v1", "data")
KINDS = (*NAMES, "v2", "v2-narrow")


@cache
def clean(kind: str) -> bytes:
    """A recorded crash after its recovery: with an old log in the journal."""
    name = {"v2": "ext4-wide", "v2-narrow": "ext3"}.get(kind, kind)
    recovered = recover(MemorySource(image(name)))
    data = recovered.read_at(0, recovered.size)
    if kind in NAMES:
        return data
    journal = journal_of(data)
    incompat = journal.superblock.incompat | JournalIncompat.CSUM_V2
    changed = replace(journal.superblock, incompat=incompat, checksum_type=4).sealed()
    start = journal.superblock_offset
    return data[:start] + changed.pack() + data[start + 1024 :]


class Watched(MemorySource):
    """Remembers which bytes were asked for."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.places: list[int] = []

    def read_at(self, offset: int, length: int) -> bytes:
        self.places.append(offset)
        return super().read_at(offset, length)


def new_blocks(data: bytes, count: int, *, superblock: bool) -> dict[int, bytes]:
    """Blocks of noise, some beginning with the magic, and a superblock with other counts.

    What leads to the journal stays as it is.
    """
    source = Watched(data)
    journal = journal_of(source)
    before = Superblock.unpack(data, SUPERBLOCK_OFFSET)
    size, chance = before.block_size, random.Random(count)
    leading = {place // size for place in source.places}
    free = [n for n in range(9, before.blocks) if n not in leading and not journal.holds(n * size)]
    blocks = {number: chance.randbytes(size) for number in chance.sample(free, count)}
    for number in list(blocks)[::3]:
        blocks[number] = MAGIC_BYTES + blocks[number][4:]
    if superblock:
        number, offset = divmod(SUPERBLOCK_OFFSET, size)
        old = data[number * size : (number + 1) * size]
        after = replace(before, free_blocks_low=before.free_blocks_low - 5, free_inodes=77).sealed()
        blocks[number] = old[:offset] + after.pack() + old[offset + 1024 :]
    return blocks


def unmarked(number: int, block: bytes) -> bytes:
    """A block without what a transaction changes in the superblock on its way."""
    if number * len(block) > SUPERBLOCK_OFFSET or (number + 1) * len(block) <= SUPERBLOCK_OFFSET:
        return block
    offset = SUPERBLOCK_OFFSET - number * len(block)
    superblock = Superblock.unpack(block, offset)
    name = superblock.last_mounted_bytes.split(b"\0", 1)[0]
    same = replace(superblock, last_mounted_bytes=name, checksum=0)
    return block[:offset] + same.pack() + block[offset + 1024 :]


def state(source: ByteSource, old: bytes, blocks: Mapping[int, bytes]) -> str:
    """Whether a recovered filesystem has the old blocks or the new ones, or a mixture."""
    size = Superblock.read(source, SUPERBLOCK_OFFSET).block_size
    assert not Superblock.read(source, SUPERBLOCK_OFFSET).needs_recovery
    found, before, after = {}, {}, {}
    for number in {*blocks, SUPERBLOCK_OFFSET // size}:
        was = old[number * size : (number + 1) * size]
        before[number] = unmarked(number, was)
        after[number] = unmarked(number, blocks.get(number, was))
        found[number] = unmarked(number, source.read_at(number * size, size))
    if found in (before, after):
        return "old" if found == before else "new"
    return "a mixture"


def transaction(kind: str, count: int, *, superblock: bool) -> tuple[Disk, dict[int, bytes]]:
    disk = Disk(clean(kind))
    blocks = new_blocks(clean(kind), count, superblock=superblock)
    write_transaction(disk, disk, blocks)
    return disk, blocks


@pytest.mark.parametrize("superblock", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_all_is_written_in_the_end(kind: str, superblock: bool) -> None:
    """The blocks, to the letter, and beside them nothing but the journal."""
    disk, blocks = transaction(kind, 30, superblock=superblock)
    assert disk.log[-1] is None
    after = disk.now()
    recovered, journal = recover(after), journal_of(after)
    assert not recovered.replayed
    assert journal.superblock.start == 0
    size = recovered.block_size
    for number, block in blocks.items():
        assert unmarked(number, after.read_at(number * size, size)) == unmarked(number, block)
    for place, sector in after.sectors.items():
        same = sector == clean(kind)[place : place + len(sector)]
        assert same or place // size in blocks or journal.holds(place)


@pytest.mark.parametrize("superblock", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_cut_off_anywhere(kind: str, superblock: bool) -> None:
    """Old or new, and never old again, though sectors are lost that were not yet durable."""
    disk, blocks = transaction(kind, 4, superblock=superblock)
    seen = [
        (position, state(recover(source), clean(kind), blocks))
        for position, source in disk.cuts(random.Random(kind), 8)
    ]
    assert {found for _, found in seen} == {"old", "new"}
    first_new = min(position for position, found in seen if found == "new")
    assert all(found == "new" for position, found in seen if position > first_new)


def test_the_log_is_as_the_kernel_writes_it() -> None:
    """A UUID behind the first tag alone, the last one marked, magic escaped, then nothing."""
    disk, blocks = transaction("ext4-1k", 100, superblock=False)
    journal = journal_of(disk.now())
    place, found = journal.superblock.first, {}
    while (header := BlockHeader.unpack(journal.read(place))).kind == BlockType.DESCRIPTOR:
        listed = list(tags(journal.read(place), journal.superblock))
        same = [bool(tag.flags & TagFlag.SAME_UUID) for tag in listed]
        last = [bool(tag.flags & TagFlag.LAST) for tag in listed]
        assert same == [index > 0 for index in range(len(listed))]
        assert last == [index == len(listed) - 1 for index in range(len(listed))]
        for number, tag in enumerate(listed, place + 1):
            copy = journal.read(number)
            assert copy[:4] != MAGIC_BYTES
            found[tag.block] = MAGIC_BYTES + copy[4:] if tag.flags & TagFlag.ESCAPE else copy
        place += len(listed) + 1
    assert header.kind == BlockType.COMMIT
    assert not any(journal.read(place + 1))
    assert found == blocks


@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_transaction(kind: str) -> None:
    data = clean(kind)
    room = journal_of(data).superblock.end - 1
    with pytest.raises(TransactionTooLargeError) as error:
        write_transaction(Disk(data), MemorySource(data), new_blocks(data, room, superblock=False))
    fits = error.value.fits
    assert room * 0.9 < fits < room
    blocks = new_blocks(data, fits, superblock=False)
    disk = Disk(data)
    write_transaction(disk, disk, blocks)
    started = [index for index, entry in enumerate(disk.log) if entry is None][2]
    recovered = recover(disk.after_cut(started + 1, None))
    assert recovered.replayed
    assert state(recovered, data, blocks) == "new"
    with pytest.raises(TransactionTooLargeError):
        write_transaction(disk, disk, new_blocks(data, fits + 1, superblock=False))


def test_one_after_the_other() -> None:
    """A second, shorter one in the same place of the log: the first one does not come back."""
    disk, _ = transaction("ext3", 60, superblock=False)
    middle = disk.now().read_at(0, disk.size)
    second = Disk(middle)
    blocks = new_blocks(clean("ext3"), 3, superblock=False)
    write_transaction(second, second, blocks)
    assert {
        state(recover(source), middle, blocks) for _, source in second.cuts(random.Random(1), 5)
    } == {"old", "new"}
    sequence = journal_of(second.now()).superblock.start_sequence
    assert sequence == journal_of(clean("ext3")).superblock.start_sequence + 4


def test_nothing_to_do() -> None:
    data = clean("ext3")
    disk = Disk(data)
    write_transaction(disk, disk, {100: data[100 << 10 : 101 << 10]})
    assert not disk.log


def test_no_journal() -> None:
    data = image("ext2")
    with pytest.raises(NoJournalError):
        write_transaction(Disk(data), MemorySource(data), {100: bytes(1024)})


def test_a_filesystem_that_needs_recovery() -> None:
    data = image("ext3")
    with pytest.raises(JournalError, match="recovered first"):
        write_transaction(Disk(data), MemorySource(data), {100: b"x" * 1024})


def test_a_log_that_does_not_count_would_after_the_mark() -> None:
    data = bytearray(image("ext3"))
    superblock = Superblock.unpack(bytes(data), SUPERBLOCK_OFFSET)
    unmarked = replace(superblock, incompat=superblock.incompat & ~Incompat.needs_recovery)
    data[1024:2048] = unmarked.pack()
    with pytest.raises(JournalError, match="recovered first"):
        write_transaction(Disk(b""), MemorySource(bytes(data)), {100: b"x" * 1024})


@pytest.mark.parametrize("number", [-1, 8192, 1 << 33])
def test_blocks_outside(number: int) -> None:
    disk = Disk(clean("ext3"))
    with pytest.raises(JournalError, match="none that a transaction"):
        write_transaction(disk, disk, {number: b"x" * 1024})
    assert not disk.log


def test_blocks_of_the_journal_and_of_another_size() -> None:
    disk = Disk(clean("ext3"))
    inside = journal_of(clean("ext3")).offset_of(5) // 1024
    for blocks in ({inside: b"x" * 1024}, {100: b"x" * 1000}):
        with pytest.raises(JournalError, match="none that a transaction"):
            write_transaction(disk, disk, blocks)
    assert not disk.log


def test_the_path_of_the_last_mount_stays() -> None:
    """As far as it leaves room for the four bytes that keep the checksum."""
    for path in (b"/mnt", b"/" + b"x" * 58, b"/" + b"x" * 63):
        data = clean("ext4-1k")
        old = Superblock.unpack(data, SUPERBLOCK_OFFSET)
        mounted = replace(old, last_mounted_bytes=path).sealed()
        disk = Disk(data[:1024] + mounted.pack() + data[2048:])
        after = replace(mounted, free_inodes=5).sealed()
        write_transaction(disk, disk, {1: after.pack()})
        found = Superblock.checked(disk.now())
        assert (found.free_inodes, found.checksum) == (5, mounted.checksum)
        assert found.last_mounted == path[:59].decode()


def test_a_superblock_whose_second_sector_changes() -> None:
    disk = Disk(clean("ext4-1k"))
    old = Superblock.unpack(clean("ext4-1k"), SUPERBLOCK_OFFSET)
    after = replace(old, overhead_blocks=old.overhead_blocks + 1).sealed()
    write_transaction(disk, disk, {1: after.pack()})
    assert disk.now().read_at(1024, 1024) == after.pack()


def test_a_superblock_that_does_not_match_its_checksum() -> None:
    disk = Disk(clean("ext4-1k"))
    blocks = new_blocks(clean("ext4-1k"), 1, superblock=True)
    blocks[1] = blocks[1][:50] + b"x" + blocks[1][51:]
    with pytest.raises(JournalError, match="checksum"):
        write_transaction(disk, disk, blocks)
    assert not disk.log


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(0, 2**32 - 1))
def test_bytes_for_a_sum(before: bytes, after: bytes, wanted: int) -> None:
    assert crc32c(before + bytes_for(wanted, before, after) + after) == wanted
