# SPDX-License-Identifier: Apache-2.0
"""A filesystem that gets another size where it lies; a power cut leaves the old one or the new.

What is new, or moves, goes to blocks that nothing has used. Then all that changes in blocks that
are in use is one transaction of the filesystem's own journal. What cannot be done so is told before
the first write.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from liveos.errors import UnsupportedError
from liveos.formats.ext4.groups import Bits, free_map
from liveos.formats.ext4.journal_file import open_journal
from liveos.formats.ext4.owners import BlockUse, owners
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.transaction import most_blocks, write_transaction
from liveos.host import ext4_outline
from liveos.host.folders.ext4_window import replay
from liveos.host.folders.folder import FolderFile, StoredFile
from liveos.host.transfer import PIECE
from liveos.host.volumes import Ext4Volume
from liveos.operations.home.contents import Shape, runs_of, shape
from liveos.operations.home.filesystem import Progress


def set_filesystem_size(
    contents: StoredFile, size: int, place: FolderFile, progress: Progress
) -> None:
    """Give the ext4 in ``contents`` another size in bytes, whole blocks.

    :raises UnsupportedError: it cannot be done in place; nothing is written but what a recovery
        of the journal would write.
    """
    # The transaction needs an empty journal.
    replay(contents, Ext4Volume(Path(str(place)), 0, contents.size))
    with shape(Ext4(contents), size) as wanted:
        change = InPlace(wanted)
        change.require_possible(place)
        change.write(contents, progress)


def missing_bytes(fs: Ext4, size: int) -> int:
    """By how many bytes a filesystem of ``size`` would be too small for what is in there."""
    with ext4_outline.outline(fs) as outline:
        return max(0, ext4_outline.least_size(outline, fs.superblock.block_size) - size)


@dataclass(frozen=True)
class InPlace:
    """A filesystem and what is to become of it."""

    wanted: Shape

    def obstacle(self) -> str | None:
        """Why it cannot become so in place; None where it can."""
        old, new = self.wanted.old, self.wanted.new
        journals = [open_journal(fs.source, fs.superblock) for fs in (old, new)]
        if journals[0] is None or journals[1] is None:
            return "it has no journal"
        if journals[0].superblock_offset != journals[1].superblock_offset:
            return "its journal would have to move"
        size = old.superblock.block_size
        for _, target, length in self._moves:
            if self._used[target // size : (target + length) // size].any():
                return "files would have to move to where others lie"
        count, most = len(self._changed), most_blocks(journals[0].superblock)
        if count > most:
            return f"{count} blocks would change at once, and its journal takes {most}"
        return None

    def require_possible(self, place: object) -> None:
        """:raises UnsupportedError: there is an obstacle."""
        obstacle = self.obstacle()
        if obstacle is not None:
            raise UnsupportedError(
                f"the filesystem of {place} cannot get another size where it lies: {obstacle}",
                hint="try a size nearer to that which it has; its contents are as they were",
            )

    def write(self, contents: StoredFile, progress: Progress) -> None:
        """Blocks that nothing has used, and then the others at once."""
        pieces = list(self._pieces())
        done, total = 0, sum(length for *_, length in pieces)
        for source, start, target, length in pieces:
            contents.write_at(target, source.source.read_at(start, length))
            done += length
            progress(done, total)
        contents.flush()
        size = self.wanted.new.superblock.block_size
        blocks = {block: self.wanted.new.source.read_at(block * size, size)
                  for block in self._changed}  # fmt: skip
        write_transaction(contents, contents, blocks)

    def _pieces(self) -> Iterator[tuple[Ext4, int, int, int]]:
        """(where it is, offset there, offset that it gets, length) of all that is new."""
        size = self.wanted.old.superblock.block_size
        for start, target, length in self._moves:
            for done in range(0, length, PIECE):
                yield self.wanted.old, start + done, target + done, min(PIECE, length - done)
        for start, length in runs_of(self.wanted.own_blocks() & ~self._used, size):
            for offset in range(start, start + length, PIECE):
                yield self.wanted.new, offset, offset, min(PIECE, start + length - offset)

    @cached_property
    def _moves(self) -> list[tuple[int, int, int]]:
        """Contents of files that lie elsewhere afterwards."""
        moved = ext4_outline.moved(self.wanted.old, self.wanted.new)
        return [piece for piece in moved if piece[0] != piece[1]]

    @cached_property
    def _used(self) -> Bits:
        """For each block of the new filesystem, whether the old one uses it."""
        return _fitted(~free_map(self.wanted.old), self.wanted.new.superblock.blocks)

    @cached_property
    def _changed(self) -> list[int]:
        """Blocks in use that become others; of contents, which stay, the outline knows nothing.

        Inodes that are gone count, too: e2fsck looks at all.
        """
        old, new = self.wanted.old, self.wanted.new
        size = old.superblock.block_size
        looked_at = ext4_outline.metadata(new)
        tables = owners(new).use == BlockUse.INODE_TABLE
        looked_at |= tables & _fitted(ext4_outline.metadata(old), len(tables))
        return [
            block
            for block in np.flatnonzero(looked_at & self._used).tolist()
            # Of the journal, which no transaction changes, the outline has an equal copy.
            if new.source.read_at(block * size, size) != old.source.read_at(block * size, size)
        ]


def _fitted(bits: Bits, count: int) -> Bits:
    """The first ``count`` bits; what is missing is not set."""
    fitted = np.zeros(count, np.bool_)
    part = bits[:count]
    fitted[: len(part)] = part
    return fitted
