# SPDX-License-Identifier: Apache-2.0
"""Blocks of an unmounted ext3 or ext4 filesystem, changed all together or not at all.

What the kernel does in memory and over time is done at once: the new blocks are written to the
log, the log is made to count, the blocks are written home, the log is emptied. Between these
steps everything is durable, so that a power cut leaves one of three states:

1. the log does not count yet: the old blocks;
2. it counts: whoever recovers the journal next (kernel, e2fsck, `recover`) finds the new ones;
3. it is empty again: the new blocks.

What moves from one state to the next, and what marks the filesystem, are writes of one sector of
512 bytes, which devices do not tear. The superblock takes two, and has its checksum in the
second: so all its versions are given the same checksum, by four bytes at the end of the field for
the path of the last mount, which lie behind the end of that string where nobody looks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from liveos.formats.binary import ByteSink, ByteSource
from liveos.formats.crc32c import bytes_for
from liveos.formats.ext4.journal import (
    MAGIC,
    MAGIC_BYTES,
    TAIL_SIZE,
    UUID_SIZE,
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
    tag_checksum,
    tail_checksum,
)
from liveos.formats.ext4.journal_file import JournalFile, open_journal
from liveos.formats.ext4.superblock import SUPERBLOCK_OFFSET, Incompat, RoCompat, Superblock

_SECTOR = 512
_SUPERBLOCK_SIZE = 1024
_LAST_MOUNTED, _CHECKSUM = 0x88, 0x3FC  # in the superblock
_LONGEST_NAME = 60  # of the 64 bytes for the path of the last mount, with a zero at its end
_SEQUENCES = 1 << 32
_OTHER_LOG_BLOCKS = 2  # the commit block, and an empty one behind it


class NoJournalError(JournalError):
    """The filesystem has no journal: its blocks cannot be changed together."""


class TransactionTooLargeError(JournalError):
    """The log cannot hold so many blocks; ``fits`` tells how many it can."""

    def __init__(self, blocks: int, fits: int) -> None:
        super().__init__(f"{blocks} blocks do not fit into the journal, which takes {fits}")
        self.fits = fits


def write_transaction(sink: ByteSink, source: ByteSource, blocks: Mapping[int, bytes]) -> None:
    """Change blocks of a filesystem, all or none whatever happens; durable on return.

    :param sink: writes to the bytes of ``source``, which must not be in use by anybody else.
    :param blocks: block numbers and what is to be in them; blocks that are so already are not
        written. The superblock may be among them, as it is to be in the end; of it, the four
        bytes that nobody reads, and with them the checksum, become others.
    :raises NoJournalError: there is no journal (ext2).
    :raises TransactionTooLargeError: the log is too short.
    :raises FormatError: the filesystem needs recovery first, or its journal cannot be used, or a
        block is none that could change.
    """
    superblock = Superblock.checked(source)
    journal = _usable_journal(source, superblock)
    home = _changed(source, superblock, journal, blocks)
    if not home:
        return
    after = _put_superblock(home, superblock)
    sequence = (journal.superblock.start_sequence + 1) % _SEQUENCES
    log = _Log(journal.superblock, sequence, superblock.write_time)
    for place, block in enumerate(log.blocks(home), journal.superblock.first):
        sink.write_at(journal.offset_of(place), block)
    sink.flush()
    _write_sector(sink, SUPERBLOCK_OFFSET, _needing_recovery(superblock))
    _write_sector(sink, journal.superblock_offset, log.superblock())
    for number, block in home.items():
        sink.write_at(number * superblock.block_size, block)
    sink.flush()
    _write_sector(sink, journal.superblock_offset, log.emptied_superblock())
    _write_sector(sink, SUPERBLOCK_OFFSET, after)


def _write_sector(sink: ByteSink, offset: int, record: Superblock | JournalSuperblock) -> None:
    """Write the only sector of a superblock that differs, and make it durable."""
    sink.write_at(offset, record.pack()[:_SECTOR])
    sink.flush()


def _usable_journal(source: ByteSource, superblock: Superblock) -> JournalFile:
    """The journal, which must be empty."""
    journal = open_journal(source, superblock)
    if journal is None:
        raise NoJournalError("the filesystem has no journal")
    if superblock.needs_recovery or journal.superblock.start:
        raise JournalError("the filesystem was not unmounted: its journal must be recovered first")
    return journal


def _changed(
    source: ByteSource, superblock: Superblock, journal: JournalFile, blocks: Mapping[int, bytes]
) -> dict[int, bytes]:
    """The blocks that are not yet as they are to be, in order; all must be ones that may change."""
    size = superblock.block_size
    wide = journal.superblock.incompat & JournalIncompat.WIDE
    end = superblock.blocks if wide else min(superblock.blocks, 1 << 32)
    changed = {}
    for number, block in sorted(blocks.items()):
        if not 0 <= number < end or len(block) != size or journal.holds(number * size):
            raise JournalError(f"block {number} is none that a transaction could change")
        if source.read_at(number * size, size) != block:
            changed[number] = block
    _require_room(journal.superblock, len(changed))
    return changed


def most_blocks(journal: JournalSuperblock) -> int:
    """How many blocks a transaction may change in a journal that is empty."""
    room = journal.end - journal.first - _OTHER_LOG_BLOCKS
    tags = _tags_per_block(journal)
    return room * tags // (tags + 1)


def _require_room(journal: JournalSuperblock, count: int) -> None:
    fits = most_blocks(journal)
    if count > fits:
        raise TransactionTooLargeError(count, fits)


def _tags_per_block(journal: JournalSuperblock) -> int:
    """Tags in a descriptor block, whose first one is followed by the UUID."""
    tail = TAIL_SIZE if journal.has_block_checksums else 0
    return (journal.block_size - BlockHeader.layout().size - UUID_SIZE - tail) // journal.tag_size


def _put_superblock(home: dict[int, bytes], superblock: Superblock) -> Superblock:
    """Mark the superblock that is among the blocks, if it is; the one to be there in the end.

    Its copy in the log is marked too: were it not, a replay that is cut off would not be resumed.
    It keeps the old checksum, unless something else in the second sector is new: nothing that
    changes in the life of a filesystem lies there.
    """
    number, offset = divmod(SUPERBLOCK_OFFSET, superblock.block_size)
    if number not in home:
        return superblock
    block = home[number]
    after = Superblock.unpack(block, offset)
    if after.checksum_matches is False or after.needs_recovery:
        raise JournalError("the new superblock does not match its checksum, or needs recovery")
    if after.pack()[_SECTOR:_CHECKSUM] == superblock.pack()[_SECTOR:_CHECKSUM]:
        after = with_checksum(after, superblock.checksum)
    marked = _needing_recovery(after).pack()
    home[number] = block[:offset] + marked + block[offset + _SUPERBLOCK_SIZE :]
    return after


def _needing_recovery(superblock: Superblock) -> Superblock:
    """The superblock while the log counts: it differs in its first sector only."""
    marked = replace(superblock, incompat=superblock.incompat | Incompat.needs_recovery)
    return with_checksum(marked, superblock.checksum)


def with_checksum(superblock: Superblock, checksum: int) -> Superblock:
    """The same with a certain checksum, which four bytes that nobody reads make right."""
    if not superblock.ro_compat & RoCompat.metadata_csum:
        return superblock
    name = superblock.last_mounted_bytes.split(b"\0", 1)[0][: _LONGEST_NAME - 1]
    data = superblock.pack()[:_CHECKSUM]
    name = name.ljust(_LONGEST_NAME, b"\0")
    before = data[:_LAST_MOUNTED] + name
    free = bytes_for(checksum, before, data[len(before) + 4 :])
    return replace(superblock, last_mounted_bytes=name + free, checksum=checksum)


@dataclass(frozen=True)
class _Log:
    """One transaction in an empty journal, from the first block of its log."""

    journal: JournalSuperblock
    sequence: int
    time: int

    def superblock(self) -> JournalSuperblock:
        """The superblock of a journal that holds this transaction."""
        return replace(
            self.journal, start=self.journal.first, start_sequence=self.sequence
        ).sealed()

    def emptied_superblock(self) -> JournalSuperblock:
        """The superblock of a journal in which it does not count any more."""
        following = (self.sequence + 1) % _SEQUENCES
        return replace(self.journal, start=0, start_sequence=following).sealed()

    def blocks(self, home: Mapping[int, bytes]) -> Iterator[bytes]:
        """All blocks of the transaction, and an empty one, so that no older log goes on."""
        total = checksum_v1(b"")
        numbers, step = list(home), _tags_per_block(self.journal)
        for start in range(0, len(numbers), step):
            part = numbers[start : start + step]
            copies = [_escaped(home[number]) for number in part]
            tags = [
                self._tag(number, copy, escaped=copy != home[number])
                for number, copy in zip(part, copies, strict=True)
            ]
            for block in (self._descriptor(tags), *copies):
                if self.journal.compat & JournalCompat.CHECKSUM:
                    total = checksum_v1(block, total)
                yield block
        yield self._commit(total)
        yield bytes(self.journal.block_size)

    def _header(self, kind: BlockType) -> bytes:
        return BlockHeader(MAGIC, kind, self.sequence).pack()

    def _tag(self, number: int, copy: bytes, *, escaped: bool) -> Tag:
        checksum = 0
        if self.journal.has_block_checksums:
            checksum = tag_checksum(copy, self.sequence, self.journal)
        return Tag(number, TagFlag.ESCAPE if escaped else 0, checksum)

    def _descriptor(self, tags: list[Tag]) -> bytes:
        """A descriptor block; as the kernel has it, the UUID follows the first tag alone."""
        parts = [self._header(BlockType.DESCRIPTOR)]
        for index, tag in enumerate(tags):
            flags = tag.flags | (TagFlag.SAME_UUID if index else 0)
            flags |= TagFlag.LAST if index == len(tags) - 1 else 0
            parts.append(replace(tag, flags=flags).pack(self.journal))
            parts += [] if index else [self.journal.uuid]
        block = b"".join(parts).ljust(self.journal.block_size, b"\0")
        if not self.journal.has_block_checksums:
            return block
        checksum = tail_checksum(block, self.journal)
        return block[:-TAIL_SIZE] + checksum.to_bytes(TAIL_SIZE, "big")

    def _commit(self, total: int) -> bytes:
        """The commit block; its checksum is that of the transaction in v1, its own in v2 and v3."""
        header = MAGIC, BlockType.COMMIT, self.sequence
        blank = CommitBlock(*header, 0, 0, 0, 0, bytes(28), self.time, 0)
        if self.journal.compat & JournalCompat.CHECKSUM:
            blank = replace(blank, checksum_type=1, checksum_size=4, checksum=total)
        if self.journal.has_block_checksums:
            block = blank.pack().ljust(self.journal.block_size, b"\0")
            blank = replace(blank, checksum=commit_checksum(block, self.journal))
        return blank.pack().ljust(self.journal.block_size, b"\0")


def _escaped(block: bytes) -> bytes:
    """A block as the log holds it: the magic must not begin it."""
    return bytes(4) + block[4:] if block.startswith(MAGIC_BYTES) else block
