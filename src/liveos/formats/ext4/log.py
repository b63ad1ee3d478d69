# SPDX-License-Identifier: Apache-2.0
"""The log of a journal: which transactions in it are whole, and which copies of blocks count."""

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
from liveos.formats.ext4.journal_file import JournalFile

SEQUENCES = 1 << 32  # numbers of transactions go round
_FAST_COMMIT_HEAD = 9  # EXT4_FC_TAG_HEAD


class PendingFastCommitError(JournalError):
    """The journal ends in fast commits, which only ext4 itself can replay."""


@dataclass(frozen=True, eq=False)
class Copies:
    """The last copy in the log of each block: its place in the journal, and whether escaped."""

    blocks: NDArray[np.int64]
    places: NDArray[np.int64]
    escaped: NDArray[np.bool_]

    def __contains__(self, block: int) -> bool:
        index = self.blocks.searchsorted(block)
        return bool(index < len(self.blocks) and self.blocks[index] == block)

    def read(self, block: int, journal: JournalFile) -> bytes:
        """One of the blocks as it is to be."""
        index = self.blocks.searchsorted(block)
        copy = journal.read(int(self.places[index]))
        return MAGIC_BYTES + copy[4:] if self.escaped[index] else copy


class _Columns:
    """Tags of the log in order, a column for each of their fields, and places of revoke blocks.

    ``ages`` count transactions from the first in the log.
    """

    def __init__(self) -> None:
        self.blocks = array("Q")
        self.places = array("I")
        self.flags = array("H")
        self.checksums = array("I")
        self.ages = array("I")
        self.revokes: list[tuple[int, int]] = []

    def cut(self, tags: int, revokes: int) -> None:
        """Forget what came after so many tags and revoke blocks."""
        for column in (self.blocks, self.places, self.flags, self.checksums, self.ages):
            del column[tags:]
        del self.revokes[revokes:]


class Log:
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

    def copies(self, blocks: int) -> Copies:
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
        if self._of_journal(numbers).any():
            raise JournalError("the journal holds copies of its own blocks")
        # The first one from behind is the last copy.
        unique, first = np.unique(numbers[::-1], return_index=True)
        chosen = kept[::-1][first]
        return Copies(
            unique.astype(np.int64),
            np.array(columns.places, np.int64)[chosen],
            (np.array(columns.flags, np.uint16)[chosen] & TagFlag.ESCAPE) != 0,
        )

    def _step(self) -> bool:
        """Read the next block of the log; False at the end."""
        place = self._advance()
        block = self.journal.read(place)
        header = BlockHeader.unpack(block)
        if header.magic != MAGIC or header.sequence != self.sequence:
            return False
        if header.kind == BlockType.DESCRIPTOR:
            self._descriptor(block)
        elif header.kind == BlockType.REVOKE:
            self._suspect |= not tail_matches(block, self.journal.superblock)
            self._columns.revokes.append((place, self._age))
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
        self.sequence = (self.sequence + 1) % SEQUENCES
        self._age += 1
        return True

    def _revoked(self, numbers: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """For each tag whether its own transaction or a later one revokes the block."""
        if not len(numbers):
            return np.empty(0, np.bool_)
        unique, index = np.unique(numbers, return_inverse=True)
        # One more than the age of the last transaction that revokes each block; 0: none.
        revoked_at = np.zeros(len(unique), np.uint64)
        for place, age in self._columns.revokes:
            revoked = revoked_blocks(self.journal.read(place), self.journal.superblock)
            revoked = revoked[revoked <= unique[-1]]
            found = unique.searchsorted(revoked)
            revoked_at[found[unique[found] == revoked]] = age + 1
        return np.array(self._columns.ages, np.uint64) < revoked_at[index]

    def _of_journal(self, numbers: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which blocks belong to the journal: their copies would overwrite the log."""
        size = self.journal.superblock.block_size
        found = np.zeros(len(numbers), np.bool_)
        for extent in self.journal.source.extents:
            assert extent.offset is not None
            first, count = extent.offset // size, extent.length // size
            found |= (numbers >= first) & (numbers < first + count)
        return found

    def _verify(self, kept: NDArray[np.int64]) -> None:
        """Compare the copies with the sums in their tags, where there are some."""
        superblock, columns = self.journal.superblock, self._columns
        if not superblock.has_block_checksums:
            return
        for tag in kept.tolist():
            sequence = (superblock.start_sequence + columns.ages[tag]) % SEQUENCES
            copy = self.journal.read(columns.places[tag])
            if tag_checksum(copy, sequence, superblock) != columns.checksums[tag]:
                raise JournalChecksumError(
                    f"the copy of block {columns.blocks[tag]} in transaction {sequence} "
                    "of the journal does not match its checksum"
                )
