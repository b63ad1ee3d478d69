# SPDX-License-Identifier: Apache-2.0
"""What a partition holds while its filesystem becomes the contents of a LUKS volume.

The first sector has a `Mark`, and the sector with the magic of an ext4 is zero, so that nobody
takes the partition for a filesystem. What is needed to go on lies in its tail: the header of the
volume, the beginning of the filesystem, and how far the work has come. That is noted in two slots
by turns, so that one of them is whole at any time. The format is our own.
"""

import uuid
import zlib
from dataclasses import dataclass, replace
from typing import Annotated, Self

from liveos.formats.binary import ByteSource, FormatError, Record, u32, u64

SECTOR = 512
HEADER_ROOM = 16 << 20  # what cryptsetup reserves for LUKS2
TAIL_SIZE = HEADER_ROOM + (1 << 20)
HEAD_SIZE = 4096
"""Bytes of the beginning of a filesystem that are put away: the mark is written over them."""

_ALIGNMENT = 4096
_HEAD = HEADER_ROOM
_SLOTS = (HEADER_ROOM + 4096, HEADER_ROOM + 8192)
_MARK_MAGIC = b"liveos: this home is being encrypted\n".ljust(40, b"\0")
_STAGE_MAGIC = b"liveos: encrypted so far\n".ljust(32, b"\0")
_EXT_MAGIC = slice(1024 + 56, 1024 + 58)


@dataclass(frozen=True)
class _Checked(Record):
    """A sector with a sum over everything before it."""

    def sealed(self) -> Self:
        """The same with the sum that it must have."""
        checksum = zlib.crc32(self.pack()[:-4])
        return replace(self, checksum=checksum)  # type: ignore[call-arg] # each record has one

    @classmethod
    def found(cls, source: ByteSource, offset: int, magic: bytes) -> Self | None:
        """The record at ``offset``; None where there is none that is whole."""
        if offset + SECTOR > source.size:
            return None
        record = cls.read(source, offset)
        data = record.pack()
        return record if data.startswith(magic) and record == record.sealed() else None


@dataclass(frozen=True)
class Mark(_Checked):
    """The first sector: ``contents`` bytes of a filesystem are being moved 16 MiB up."""

    magic: Annotated[bytes, "40s"]
    volume: Annotated[bytes, "16s"]
    contents: u64
    tail: u64
    checksum: u32 = 0

    @classmethod
    def of(cls, volume: uuid.UUID, contents: int, size: int) -> "Mark":
        """The mark of a partition of ``size`` bytes; ``volume`` is the UUID of what it becomes."""
        return cls(_MARK_MAGIC, volume.bytes, contents, tail_of(size)).sealed()

    @property
    def uuid(self) -> uuid.UUID:
        return uuid.UUID(bytes=self.volume)

    @property
    def head(self) -> int:
        """Where the beginning of the filesystem was put."""
        return self.tail + _HEAD

    def slot(self, number: int) -> int:
        """Where the note of this number belongs."""
        return self.tail + _SLOTS[number % 2]


@dataclass(frozen=True)
class Stage(_Checked):
    """How far the work has come.

    The contents from ``moved`` on are in their new place. With ``placed``, all of them are, and
    the header but for its first sector.
    """

    magic: Annotated[bytes, "32s"]
    volume: Annotated[bytes, "16s"]
    number: u64
    moved: u64
    placed: u64
    checksum: u32 = 0

    @classmethod
    def first(cls, mark: Mark) -> "Stage":
        """Nothing has been moved."""
        return cls(_STAGE_MAGIC, mark.volume, 0, mark.contents, 0).sealed()

    def then(self, *, moved: int, placed: bool = False) -> "Stage":
        """The next note."""
        return replace(self, number=self.number + 1, moved=moved, placed=int(placed)).sealed()


def tail_of(size: int) -> int:
    """Where the tail of a partition of ``size`` bytes begins."""
    return (size - TAIL_SIZE) // _ALIGNMENT * _ALIGNMENT


def room_of(size: int) -> int:
    """The largest filesystem, in bytes, that can become encrypted where it lies."""
    return max(0, tail_of(size) - HEADER_ROOM)


def read_mark(source: ByteSource) -> Mark | None:
    """The mark of a partition whose encryption is under way; None where that has not begun."""
    mark = Mark.found(source, 0, _MARK_MAGIC)
    if mark is None or mark.tail != tail_of(source.size) or mark.contents % _ALIGNMENT:
        return None
    if not 0 < mark.contents <= room_of(source.size):
        return None
    return None if source.read_at(0, HEAD_SIZE)[_EXT_MAGIC] == b"\x53\xef" else mark


def read_stage(source: ByteSource, mark: Mark) -> Stage:
    """The last note; :raises FormatError: both slots are damaged."""
    found = [Stage.found(source, mark.slot(number), _STAGE_MAGIC) for number in (0, 1)]
    known = [each for each in found if each is not None and each.volume == mark.volume]
    known = [each for each in known if each.moved <= mark.contents]
    if not known:
        raise FormatError("how far its encryption came cannot be read any more")
    return max(known, key=lambda stage: stage.number)
