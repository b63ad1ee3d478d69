# SPDX-License-Identifier: Apache-2.0
"""Files of a FAT filesystem that change their contents by their directory entries alone.

FAT knows no rename over an existing file. But a directory entry lies in one sector, which devices
do not tear, and says where the content begins and how long it is.
"""

from typing import Protocol

from liveos.formats.binary import ByteSink, ByteSource
from liveos.formats.fat.directory import DirectoryEntry

_SECTOR = 512
_ENTRY_SIZE = 32
# All of an entry but the name, the attributes and the tenths of its creation: the times, and
# where the content begins and how long it is.
_CONTENT = slice(14, 32)
_NOTHING = bytes(18)
_ERASED = b"\xe5"  # instead of the first letter of a name


class Store(ByteSource, ByteSink, Protocol):
    """The bytes of a filesystem, to be read and written."""


def exchange(store: Store, kept: DirectoryEntry, other: DirectoryEntry) -> None:
    """Give each file the content of the other one; ``kept`` has one of the two at any moment.

    When both entries lie in one sector, a power cut leaves both as they were or both changed.
    Otherwise it can also leave ``other`` empty, and either content in clusters that no file has,
    which ``fsck.fat`` gives back; never do two files share clusters.
    """
    before = store.read_at(kept.position, _ENTRY_SIZE), store.read_at(other.position, _ENTRY_SIZE)
    if kept.position // _SECTOR == other.position // _SECTOR:
        start = kept.position // _SECTOR * _SECTOR
        sector = bytearray(store.read_at(start, _SECTOR))
        for entry, source in ((kept, before[1]), (other, before[0])):
            place = entry.position - start
            sector[place + _CONTENT.start : place + _CONTENT.stop] = source[_CONTENT]
        _write(store, start, bytes(sector))
        return
    for entry, content in (
        (other, _NOTHING),
        (kept, before[1][_CONTENT]),
        (other, before[0][_CONTENT]),
    ):
        _write(store, entry.position + _CONTENT.start, content)


def forget(store: Store, entry: DirectoryEntry) -> None:
    """Leave a file empty; clusters that it had belong to nobody then."""
    _write(store, entry.position + _CONTENT.start, _NOTHING)


def erase(store: Store, entry: DirectoryEntry) -> None:
    """Take an entry away; clusters that it had belong to nobody then, nor does a long name."""
    _write(store, entry.position, _ERASED)


def _write(store: Store, offset: int, data: bytes) -> None:
    store.write_at(offset, data)
    store.flush()
