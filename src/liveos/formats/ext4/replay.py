# SPDX-License-Identifier: Apache-2.0
"""A filesystem with its journal replayed, without writing or copying anything.

`recover` reads the log as ``fs/jbd2/recovery.c`` does, and as ``e2fsck -E journal_only``, which
shares that file, and lays the blocks that count over the filesystem.

Where the log is damaged, all three stop before the first transaction whose *commit block* does
not match its checksum, and keep what came before; the kernel then refuses to mount, e2fsck marks
the filesystem as having errors, and so does `RecoveredSource`, which names the transaction in
``corrupt_transaction``. When a *descriptor, revoke block or copy* inside a committed transaction
does not match, the kernel refuses to mount too, but e2fsck replays the rest and asks for a full
check: a filesystem that is half old and half new. Here that is a `JournalChecksumError`.
A damaged transaction that is older than the one before it is what the log held the last time
around; it ends the replay without more ado, as in the kernel.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource, TruncatedError
from liveos.formats.ext4.journal import (
    MAGIC,
    MAGIC_BYTES,
    BlockHeader,
    BlockType,
    CommitBlock,
    JournalChecksumError,
    JournalCompat,
    JournalError,
    JournalIncompat,
    TagFlag,
    checksum_v1,
    revoked_blocks,
    tag_checksum,
    tags,
    tail_matches,
)
from liveos.formats.ext4.journal_file import JournalFile, open_journal
from liveos.formats.ext4.superblock import SUPERBLOCK_OFFSET, Incompat, Superblock

_SUPERBLOCK_SIZE = 1024
_HAS_ERRORS = 2  # EXT4_ERROR_FS in the superblock's state
_SEQUENCES = 1 << 32
_FAST_COMMIT_HEAD = 9  # EXT4_FC_TAG_HEAD


class PendingFastCommitError(JournalError):
    """The journal ends in fast commits, which only ext4 itself can replay."""


class RecoveredSource:
    """A byte source: a filesystem with its journal applied and emptied.

    ``changed_blocks`` are the filesystem blocks that do not come from the source, in order;
    ``replayed`` tells whether the filesystem needed recovery; ``corrupt_transaction`` is the
    damaged one before which the replay had to end.
    """

    def __init__(
        self, source: ByteSource, block_size: int, replayed: "_Replayed | None" = None
    ) -> None:
        self._source = source
        self.block_size = block_size
        self._copies = replayed.copies if replayed else _Copies()
        self._written = replayed.written if replayed else {}
        self._journal = replayed.journal if replayed else None
        self.replayed = replayed is not None
        self.corrupt_transaction = replayed.corrupt if replayed else None
        written = np.array(sorted(self._written), np.int64)
        self.changed_blocks: NDArray[np.int64] = np.union1d(self._copies.blocks, written)

    @property
    def size(self) -> int:
        return self._source.size

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise TruncatedError(
                f"bytes {offset}..{offset + length} lie outside a filesystem of {self.size} bytes"
            )
        return b"".join(self._parts(offset, offset + length))

    def _parts(self, position: int, end: int) -> Iterator[bytes]:
        size = self.block_size
        bounds = (position // size, -(-end // size))
        first, last = self.changed_blocks.searchsorted(bounds)
        for block in self.changed_blocks[first:last].tolist():
            start, stop = max(block * size, position), min(block * size + size, end)
            if position < start:
                yield self._source.read_at(position, start - position)
            yield self._changed(block)[start - block * size : stop - block * size]
            position = stop
        if position < end:
            yield self._source.read_at(position, end - position)

    def _changed(self, block: int) -> bytes:
        """One of the changed blocks."""
        if block in self._written:
            return self._written[block]
        assert self._journal is not None
        return self._copies.read(block, self._journal)


@dataclass(frozen=True)
class _Copies:
    """The last copy in the log of each block: its place in the journal, and whether escaped."""

    blocks: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    places: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    escaped: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))

    def __contains__(self, block: int) -> bool:
        index = self.blocks.searchsorted(block)
        return bool(index < len(self.blocks) and self.blocks[index] == block)

    def read(self, block: int, journal: JournalFile) -> bytes:
        index = self.blocks.searchsorted(block)
        copy = journal.read(int(self.places[index]))
        return MAGIC_BYTES + copy[4:] if self.escaped[index] else copy


@dataclass(frozen=True)
class _Replayed:
    """What a replay leaves: copies that stay in the log, and the two blocks it writes itself."""

    journal: JournalFile
    copies: _Copies
    written: dict[int, bytes]
    corrupt: int | None


def recover(source: ByteSource) -> RecoveredSource:
    """The filesystem in ``source`` as it is after a replay of its journal.

    A filesystem that needs no recovery, or has no journal, comes back as it is; then a log that
    is left in the journal does not count, as for the kernel.

    :raises PendingFastCommitError: there are fast commits behind the log.
    :raises JournalChecksumError: a committed transaction is damaged inside.
    :raises FormatError: the journal is external, or what says where and what it is makes no sense.
    """
    superblock = Superblock.checked(source)
    if not superblock.needs_recovery:
        return RecoveredSource(source, superblock.block_size)
    journal = open_journal(source, superblock)
    if journal is None:
        raise JournalError("the filesystem needs recovery, but has no journal")
    log = _Log(journal)
    if journal.superblock.start:
        log.walk()
        log.require_no_fast_commits()
    copies = log.copies(superblock.blocks)
    written = _superblocks(source, superblock.block_size, copies, log)
    replayed = _Replayed(journal, copies, written, log.corrupt)
    return RecoveredSource(source, superblock.block_size, replayed)


def _superblocks(
    source: ByteSource, block_size: int, copies: _Copies, log: "_Log"
) -> dict[int, bytes]:
    """The blocks of both superblocks after the replay, as e2fsck leaves them.

    The sequence goes one beyond the transaction that was not there, so that none of its blocks
    can count later. An error that the journal kept is handed on to the filesystem.
    """
    journal = log.journal
    number, offset = divmod(SUPERBLOCK_OFFSET, block_size)
    if number in copies:
        block = copies.read(number, journal)
    else:
        block = source.read_at(number * block_size, block_size)
    failed = journal.superblock.errno != 0 or log.corrupt is not None
    superblock = Superblock.unpack(block, offset)
    superblock = replace(
        superblock,
        incompat=superblock.incompat & ~Incompat.needs_recovery,
        state=superblock.state | (_HAS_ERRORS if failed else 0),
    ).sealed()
    emptied = replace(
        journal.superblock, start=0, start_sequence=(log.sequence + 1) % _SEQUENCES, errno=0
    ).sealed()
    return {
        number: block[:offset] + superblock.pack() + block[offset + _SUPERBLOCK_SIZE :],
        journal.superblock_offset // block_size: (
            emptied.pack() + journal.read(0)[_SUPERBLOCK_SIZE:]
        ),
    }


class _Columns:
    """Tags of the log in order, a column for each of their fields, and places of revoke blocks.

    ``ages`` count transactions from the first in the log.
    """

    def __init__(self) -> None:
        self.blocks = array("Q")
        self.places = array("Q")
        self.flags = array("H")
        self.checksums = array("L")
        self.ages = array("Q")
        self.revokes: list[tuple[int, int]] = []

    def cut(self, tags: int, revokes: int) -> None:
        """Forget what came after so many tags and revoke blocks."""
        for column in (self.blocks, self.places, self.flags, self.checksums, self.ages):
            del column[tags:]
        del self.revokes[revokes:]


class _Log:
    """One walk through the log, from the first transaction to the last that is whole.

    ``sequence`` is the transaction that is being read, and at the end the first one that is not
    there; ``corrupt`` is the same when it is there, but damaged.
    """

    def __init__(self, journal: JournalFile) -> None:
        self.journal = journal
        self.sequence = journal.superblock.start_sequence
        self.corrupt: int | None = None
        self._columns = _Columns()
        self._next = journal.superblock.start
        self._left = journal.superblock.end - journal.superblock.first
        self._age = 0
        self._committed = (0, 0)
        self._commit_time = 0
        self._suspect = False
        self._sum = checksum_v1(b"")

    def walk(self) -> None:
        """Collect tags and places of revoke blocks of all whole transactions."""
        while self._left > 0 and self._step():
            pass
        if self._left < 0:
            raise JournalError("a transaction is longer than the journal")
        self._columns.cut(*self._committed)

    def require_no_fast_commits(self) -> None:
        """Fast commits behind the log count when they follow its last transaction.

        A first one that was cut off is taken for one, too.
        """
        superblock = self.journal.superblock
        if not superblock.incompat & JournalIncompat.FAST_COMMIT:
            return
        if superblock.end + 1 >= superblock.blocks:
            return
        block = self.journal.read(superblock.end + 1)
        tag, sequence = int.from_bytes(block[:2], "little"), int.from_bytes(block[8:12], "little")
        if tag == _FAST_COMMIT_HEAD and sequence == self.sequence:
            raise PendingFastCommitError(
                "the journal ends in fast commits, which cannot be replayed here"
            )

    def copies(self, blocks: int) -> _Copies:
        """The last copy of each block that no later transaction revokes.

        :param blocks: how many the filesystem has.
        """
        columns = self._columns
        numbers = np.array(columns.blocks, np.uint64)
        kept = np.flatnonzero(~self._revoked(numbers))
        self._verify(kept)
        numbers = numbers[kept]
        if (numbers >= blocks).any():
            raise JournalError(f"the journal holds block {numbers.max()} of {blocks}")
        # The first one from behind is the last copy.
        unique, first = np.unique(numbers[::-1], return_index=True)
        chosen = kept[::-1][first]
        return _Copies(
            unique.astype(np.int64),
            np.array(columns.places, np.int64)[chosen],
            (np.array(columns.flags, np.uint16)[chosen] & TagFlag.ESCAPE) != 0,
        )

    def _step(self) -> bool:
        """Read the next block of the log; False at the end."""
        block = self.journal.read(self._advance())
        header = BlockHeader.unpack(block)
        if header.magic != MAGIC or header.sequence != self.sequence:
            return False
        if header.kind == BlockType.DESCRIPTOR:
            self._descriptor(block)
        elif header.kind == BlockType.REVOKE:
            self._suspect |= not tail_matches(block, self.journal.superblock)
            self._columns.revokes.append((self._before(), self._age))
        else:
            return header.kind == BlockType.COMMIT and self._commit(block)
        return True

    def _advance(self) -> int:
        """The place of the next block, which the walk goes past; the log is a ring."""
        superblock = self.journal.superblock
        place = self._next
        self._left -= 1
        self._next = superblock.first if place + 1 >= superblock.end else place + 1
        return place

    def _before(self) -> int:
        """The place of the block that was read last."""
        superblock = self.journal.superblock
        return (self._next if self._next > superblock.first else superblock.end) - 1

    def _descriptor(self, block: bytes) -> None:
        superblock = self.journal.superblock
        self._suspect |= not tail_matches(block, superblock)
        summed = superblock.compat & JournalCompat.CHECKSUM
        if summed:
            self._sum = checksum_v1(block, self._sum)
        for tag in tags(block, superblock):
            place = self._advance()
            self._columns.blocks.append(tag.block)
            self._columns.places.append(place)
            self._columns.flags.append(tag.flags)
            self._columns.checksums.append(tag.checksum)
            self._columns.ages.append(self._age)
            if summed:
                self._sum = checksum_v1(self.journal.read(place), self._sum)

    def _commit(self, block: bytes) -> bool:
        """End a transaction; False when it is not whole."""
        commit = CommitBlock.unpack(block)
        if self._suspect:
            if commit.seconds >= self._commit_time:
                raise JournalChecksumError(
                    f"transaction {self.sequence} of the journal does not match its checksums"
                )
            return False
        superblock = self.journal.superblock
        if not commit.matches(block, superblock, self._sum):
            # With asynchronous commits it may be one that was being written.
            interrupted = superblock.incompat & JournalIncompat.ASYNC_COMMIT
            if commit.seconds >= self._commit_time and not interrupted:
                self.corrupt = self.sequence
            return False
        self._commit_time = commit.seconds
        self._committed = (len(self._columns.blocks), len(self._columns.revokes))
        self._sum = checksum_v1(b"")
        self.sequence = (self.sequence + 1) % _SEQUENCES
        self._age += 1
        return True

    def _revoked(self, numbers: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """For each tag whether its own transaction or a later one revokes the block."""
        unique, index = np.unique(numbers, return_inverse=True)
        # One more than the age of the last transaction that revokes each block; 0: none.
        revoked_at = np.zeros(len(unique), np.uint64)
        for place, age in self._columns.revokes:
            revoked = revoked_blocks(self.journal.read(place), self.journal.superblock)
            revoked_at[np.isin(unique, revoked)] = age + 1
        return np.array(self._columns.ages, np.uint64) < revoked_at[index]

    def _verify(self, kept: NDArray[np.int64]) -> None:
        """Compare the copies with the sums in their tags, where there are some."""
        superblock, columns = self.journal.superblock, self._columns
        if not superblock.has_block_checksums:
            return
        for tag in kept.tolist():
            sequence = (superblock.start_sequence + columns.ages[tag]) % _SEQUENCES
            copy = self.journal.read(columns.places[tag])
            if tag_checksum(copy, sequence, superblock) != columns.checksums[tag]:
                raise JournalChecksumError(
                    f"the copy of block {columns.blocks[tag]} in transaction {sequence} "
                    "of the journal does not match its checksum"
                )
