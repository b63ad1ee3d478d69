# SPDX-License-Identifier: Apache-2.0
"""A filesystem with its journal replayed, without writing or copying anything.

`recover` reads the log as ``fs/jbd2/recovery.c`` does, and as ``e2fsck -E journal_only``, which
shares that file, and lays the blocks that count over the filesystem.

Where the log is damaged, all three stop before the first transaction whose *commit block* does
not match its checksum, and keep what came before; the kernel then refuses to mount, e2fsck marks
the filesystem as having errors, and so does `RecoveredSource`, which names the transaction in
``corrupt_transaction``. With asynchronous commits it may be one that was being written, and is
no error. When something else in a committed transaction does not match, the kernel refuses to
mount as well; e2fsck leaves out what is damaged (of the copies, one; of descriptor and revoke
blocks, the whole log) and asks for a full check. That would be a filesystem half old and half
new: here it is a `JournalChecksumError`. A damaged transaction that is older than the one before
it is what the log held the last time around; it ends the replay without more ado.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource, TruncatedError
from liveos.formats.ext4.journal import JournalError
from liveos.formats.ext4.journal_file import JournalFile, open_journal
from liveos.formats.ext4.log import SEQUENCES, Copies, Log
from liveos.formats.ext4.superblock import SUPERBLOCK_OFFSET, Incompat, Superblock

_SUPERBLOCK_SIZE = 1024
_HAS_ERRORS = 2  # EXT4_ERROR_FS in the superblock's state


class RecoveredSource:
    """A byte source: a filesystem with its journal applied and emptied.

    ``changed_blocks`` are the filesystem blocks that do not come from the source, in order;
    ``replayed`` tells whether the filesystem needed recovery; ``corrupt_transaction`` is the
    damaged one before which the replay had to end.
    """

    def __init__(
        self, source: ByteSource, block_size: int, replay: "_Replay | None" = None
    ) -> None:
        self._source = source
        self._replay = replay
        self.block_size = block_size
        self.replayed = replay is not None
        self.corrupt_transaction = replay.corrupt if replay else None
        self.changed_blocks = replay.blocks() if replay else np.empty(0, np.int64)

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
        assert self._replay is not None
        return self._replay.read(block)


@dataclass(frozen=True, eq=False)
class _Replay:
    """What a replay leaves: copies that stay in the log, and the two blocks it writes itself."""

    journal: JournalFile
    copies: Copies
    written: dict[int, bytes]
    corrupt: int | None

    def blocks(self) -> NDArray[np.int64]:
        """The numbers of all blocks that are changed, in order."""
        return np.union1d(self.copies.blocks, np.array(list(self.written), np.int64))

    def read(self, block: int) -> bytes:
        """One of the changed blocks."""
        return self.written.get(block) or self.copies.read(block, self.journal)


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
    log = Log(journal)
    if journal.superblock.start:
        log.walk()
        log.require_no_fast_commits()
    copies = log.copies(superblock.blocks)
    written = _superblocks(source, superblock.block_size, copies, log)
    replay = _Replay(journal, copies, written, log.corrupt)
    return RecoveredSource(source, superblock.block_size, replay)


def _superblocks(source: ByteSource, block_size: int, copies: Copies, log: Log) -> dict[int, bytes]:
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
        journal.superblock, start=0, start_sequence=(log.sequence + 1) % SEQUENCES, errno=0
    ).sealed()
    return {
        number: block[:offset] + superblock.pack() + block[offset + _SUPERBLOCK_SIZE :],
        journal.superblock_offset // block_size: (
            emptied.pack() + journal.read(0)[_SUPERBLOCK_SIZE:]
        ),
    }
