# SPDX-License-Identifier: Apache-2.0
"""Directory entries of FAT: short names, and the long ones that VFAT spreads before them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from liveos.formats.binary import ByteSource, Extent

_ENTRY_SIZE = 32
_CODE_PAGE = "cp437"  # what Linux takes by default; only names without a long one need it
_END = 0x00
_DELETED = 0xE5
_STANDS_FOR_E5 = 0x05
_DOTS = frozenset({b".".ljust(11), b"..".ljust(11)})

_ATTRIBUTES = 0x3F
_LABEL = 0x08
_DIRECTORY = 0x10
_LONG_NAME = 0x0F
_LOWER_BASE = 0x08
_LOWER_EXTENSION = 0x10
_LAST_PIECE = 0x40
_PIECE_NUMBER = 0x1F


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """A file, directory or volume label. ``position`` is where the entry lies, in bytes."""

    name: str
    position: int
    is_directory: bool
    cluster: int
    size: int = 0
    short: bytes = b""
    is_label: bool = False


def decode_name(raw: bytes) -> str:
    """A short name or label as text."""
    return raw.decode(_CODE_PAGE)


def read_directory(source: ByteSource, extents: Iterable[Extent]) -> Iterator[DirectoryEntry]:
    """The entries of a directory that lies in these extents, without ``.`` and ``..``."""
    long_name = _LongName()
    for position, slot in _slots(source, extents):
        attributes = slot[11] & _ATTRIBUTES
        if slot[0] == _END:
            return
        if slot[0] == _DELETED:
            long_name = _LongName()
        elif attributes == _LONG_NAME:
            long_name.add(slot)
        else:
            if slot[:11] not in _DOTS:
                yield _entry(position, slot, long_name)
            long_name = _LongName()


def _slots(source: ByteSource, extents: Iterable[Extent]) -> Iterator[tuple[int, bytes]]:
    for extent in extents:
        assert extent.offset is not None
        data = source.read_at(extent.offset, extent.length)
        for start in range(0, len(data) - _ENTRY_SIZE + 1, _ENTRY_SIZE):
            yield extent.offset + start, data[start : start + _ENTRY_SIZE]


def _entry(position: int, slot: bytes, long_name: "_LongName") -> DirectoryEntry:
    attributes = slot[11]
    high, low = slot[20:22], slot[26:28]
    return DirectoryEntry(
        name=long_name.of(slot[:11]) or _short_name(slot),
        position=position,
        is_directory=bool(attributes & _DIRECTORY),
        cluster=int.from_bytes(low + high, "little"),
        size=int.from_bytes(slot[28:32], "little"),
        short=slot[:11],
        is_label=bool(attributes & _LABEL),
    )


def _short_name(slot: bytes) -> str:
    raw = slot[:8]
    if raw[0] == _STANDS_FOR_E5:
        raw = bytes([_DELETED]) + raw[1:]
    base, extension = (decode_name(part.rstrip(b" ")) for part in (raw, slot[8:11]))
    if slot[12] & _LOWER_BASE:
        base = base.lower()
    if slot[12] & _LOWER_EXTENSION:
        extension = extension.lower()
    return f"{base}.{extension}" if extension else base


class _LongName:
    """The pieces of a long name, which come last piece first before the short one."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._missing = 0
        self._checksum = -1

    def add(self, slot: bytes) -> None:
        number = slot[0] & _PIECE_NUMBER
        if slot[0] & _LAST_PIECE:
            self._pieces, self._missing, self._checksum = [], number, slot[13]
        if not number or number != self._missing or slot[13] != self._checksum:
            self._missing, self._checksum = 0, -1
            return
        self._pieces.append(slot[1:11] + slot[14:26] + slot[28:32])
        self._missing -= 1

    def of(self, short: bytes) -> str | None:
        """The long name of the file with this short one; None when it belongs to another."""
        if self._missing or self._checksum != _checksum(short):
            return None
        text = b"".join(reversed(self._pieces)).decode("utf-16-le", "replace")
        return text.split("\0")[0]


def _checksum(short: bytes) -> int:
    total = 0
    for byte in short:
        total = ((total & 1) << 7) + (total >> 1) + byte & 0xFF
    return total
