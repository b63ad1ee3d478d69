# SPDX-License-Identifier: Apache-2.0
"""A filesystem in a partition becomes the contents of a LUKS volume, where it lies.

It ends at least 33 MiB before the partition does: 16 of them are how far it moves up, to make room
for the header of the volume; in the others lie, until the end, a copy of that header and what
`formats.encryption_mark` describes. The order of the writes, each line durable before the next:

1. the header into the tail, the beginning of the filesystem, the first note of a stage;
2. the mark into the first sector, which no ext4 uses; then zeros over the magic of the ext4. From
   here on nobody mounts the partition, and whoever finds the mark can go on;
3. from the end downwards, 16 MiB each: what the filesystem uses there, encrypted, 16 MiB further
   up; then a note that this is done. What lay there has been moved, and noted, before: so a power
   cut repeats at most one piece, whose source is as it was;
4. zeros over what is left of the plain contents of files;
5. the header in front but for its first sector, its copies first; a note; zeros over the tail;
6. its first sector in the place of the mark.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from liveos.errors import UnsupportedError
from liveos.formats.binary import ByteSource, FormatError, TruncatedError
from liveos.formats.encryption_mark import (
    HEAD_SIZE,
    TAIL_SIZE,
    Mark,
    Stage,
    read_mark,
    read_stage,
    room_of,
)
from liveos.formats.ext4.groups import Bits, free_map
from liveos.formats.ext4.reader import Ext4
from liveos.host.folders.folder import FolderFile, StoredFile
from liveos.host.luks import HEADER_SIZE, SECTOR, Key, new_volume
from liveos.host.luks_volume import EncryptedFile, volume_key
from liveos.host.transfer import PIECE
from liveos.operations.home.contents import runs_of
from liveos.operations.home.filesystem import Progress

_SECTOR = 512  # what a device writes whole or not at all
_EXT_MAGIC_SECTOR = 1024
_KEY_SLOTS = 32 << 10
"""Where they begin, behind both copies of the fields (LUKS2 specification 1.1, section 2)."""


def begin(file: StoredFile, fs: Ext4, uuid: UUID, key: Key) -> None:
    """Everything up to the mark; a plain home until the last write.

    :param fs: what is in ``file``, which needs no recovery.
    """
    contents = -(-fs.superblock.size // SECTOR) * SECTOR
    if contents > room_of(file.size):
        raise UnsupportedError("the filesystem leaves too little room to be encrypted in place")
    mark = Mark.of(uuid, contents, file.size)
    new_volume(_Shifted(file, mark.tail), file.size, uuid, key)
    file.write_at(mark.head, file.read_at(0, HEAD_SIZE))
    file.write_at(mark.slot(0), Stage.first(mark).pack())
    file.flush()
    file.write_at(0, mark.pack())
    file.flush()
    file.write_at(_EXT_MAGIC_SECTOR, bytes(_SECTOR))
    file.flush()


def go_on(file: StoredFile, key: Key, place: FolderFile, progress: Progress) -> EncryptedFile:
    """From the mark, and whatever has been done since, to the end: the contents of the volume.

    :raises RefusedError: the key does not open the volume that it becomes.
    """
    mark = read_mark(file)
    assert mark is not None
    try:
        stage = read_stage(file, mark)
    except FormatError as error:
        raise UnsupportedError(
            f"{place}: its encryption cannot go on: {error}", hint="nothing was changed"
        ) from error
    header = _header(file, mark, stage)
    volume = EncryptedFile(file, *volume_key(_WithHeader(header, file.size), key, place))
    _Conversion(file, mark, header, volume, stage).run(progress)
    return volume


def _header(file: StoredFile, mark: Mark, stage: Stage) -> bytes:
    """The header of the volume, from where it lies now."""
    copy = file.read_at(mark.tail, HEADER_SIZE)
    if stage.placed:
        return copy[:_SECTOR] + file.read_at(_SECTOR, HEADER_SIZE - _SECTOR)
    return copy


class _Conversion:
    """What is done in a partition that has the mark."""

    def __init__(
        self, file: StoredFile, mark: Mark, header: bytes, volume: EncryptedFile, stage: Stage
    ) -> None:
        self._file = file
        self._mark = mark
        self._header = header
        self._volume = volume
        self._stage = stage

    def run(self, progress: Progress) -> None:
        if not self._stage.placed:
            used = self._used_sectors()
            self._move(used, progress)
            self._clear_remains(used)
            self._place_header()
        self._finish()

    def _used_sectors(self) -> Bits:
        """Which sectors of the volume the filesystem uses; the same at every stage."""
        fs = Ext4(self._contents())
        used, size = ~free_map(fs), fs.superblock.block_size
        if size > SECTOR:
            used = np.repeat(used, size // SECTOR)
        used = np.pad(used, (0, -len(used) % max(1, SECTOR // size)))
        return np.asarray(used.reshape(-1, max(1, SECTOR // size)).any(axis=1))

    def _contents(self) -> "_PartlyMoved":
        """The filesystem, of which a part is in its new place."""
        head = self._file.read_at(self._mark.head, HEAD_SIZE)
        return _PartlyMoved(self._file, head, self._volume, self._stage.moved, self._mark.contents)

    def _move(self, used: Bits, progress: Progress) -> None:
        total = int(used.sum()) * SECTOR
        done = int(used[self._stage.moved // SECTOR :].sum()) * SECTOR
        # As far as they move: then no piece overlaps its own target.
        for start in range((self._stage.moved - 1) // HEADER_SIZE * HEADER_SIZE, -1, -HEADER_SIZE):
            contents = self._contents()
            sectors = used[start // SECTOR : min(start + HEADER_SIZE, contents.moved) // SECTOR]
            for offset, length in _pieces(sectors):
                self._volume.write_at(start + offset, contents.read_at(start + offset, length))
                done += length
                progress(done, total)
            if sectors.any():
                self._file.flush()
                self._note(moved=start)

    def _clear_remains(self, used: Bits) -> None:
        """What was moved, and over which nothing else has been moved."""
        shift = HEADER_SIZE // SECTOR
        remains = used.copy()
        remains[:shift] = False  # the header comes there
        remains[shift:] &= ~used[:-shift]
        for offset, length in _pieces(remains):
            self._file.write_at(offset, bytes(length))
        self._file.flush()

    def _place_header(self) -> None:
        """The copy of its fields last: by it, others would know a volume."""
        for start, stop in ((_KEY_SLOTS, HEADER_SIZE), (_SECTOR, _KEY_SLOTS)):
            for offset in range(start, stop, PIECE):
                self._file.write_at(offset, self._header[offset : min(offset + PIECE, stop)])
            self._file.flush()
        self._note(moved=0, placed=True)

    def _finish(self) -> None:
        """The copy of the key slots must not outlive a change of the passphrase."""
        self._clear(self._mark.tail + _SECTOR, self._mark.tail + HEADER_SIZE)
        self._file.write_at(0, self._header[:_SECTOR])
        self._file.flush()
        self._clear(self._mark.tail, self._mark.tail + TAIL_SIZE)

    def _clear(self, start: int, stop: int) -> None:
        for offset in range(start, stop, PIECE):
            self._file.write_at(offset, bytes(min(PIECE, stop - offset)))
        self._file.flush()

    def _note(self, *, moved: int, placed: bool = False) -> None:
        self._stage = self._stage.then(moved=moved, placed=placed)
        self._file.write_at(self._mark.slot(self._stage.number), self._stage.pack())
        self._file.flush()


def _pieces(sectors: Bits) -> Iterator[tuple[int, int]]:
    """(offset, length) in bytes of the sectors that are chosen, not too many at a time."""
    for start, length in runs_of(sectors, SECTOR):
        for offset in range(start, start + length, PIECE):
            yield offset, min(PIECE, start + length - offset)


@dataclass(frozen=True)
class _PartlyMoved:
    """A filesystem of ``size`` bytes, which from ``moved`` on lies in its new place, encrypted.

    Of the rest, the beginning is ``head``: the mark is where it was.
    """

    file: ByteSource
    head: bytes
    volume: ByteSource
    moved: int
    size: int

    def read_at(self, offset: int, length: int) -> bytes:
        if offset + length > self.size:
            raise TruncatedError(f"the filesystem ends before byte {offset + length}")
        old = max(0, min(length, self.moved - offset))
        plain = self.head[offset : offset + old]
        plain += self.file.read_at(offset + len(plain), old - len(plain))
        return plain + self.volume.read_at(offset + old, length - old)


@dataclass(frozen=True)
class _WithHeader:
    """A volume of ``size`` bytes of which only the header is there."""

    header: bytes
    size: int

    def read_at(self, offset: int, length: int) -> bytes:
        return self.header[offset : offset + length].ljust(length, b"\0")


@dataclass(frozen=True)
class _Shifted:
    """A file from a certain byte on."""

    file: StoredFile
    start: int

    def write_at(self, offset: int, data: bytes) -> None:
        self.file.write_at(self.start + offset, data)

    def flush(self) -> None:
        self.file.flush()
