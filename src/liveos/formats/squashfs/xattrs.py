# SPDX-License-Identifier: Apache-2.0
"""Extended attributes of squashfs (``fs/squashfs/xattr.c`` and ``xattr_id.c`` of the kernel).

Inodes name a list of attributes by its number. A value that several lists share is stored once:
elsewhere, eight bytes say where.
"""

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.squashfs.metadata import Cursor, Metadata, Place
from liveos.formats.squashfs.records import (
    METADATA_SIZE,
    Superblock,
    XattrEntry,
    XattrList,
    XattrTable,
)

NO_XATTRS = 0xFFFFFFFF
_NO_TABLE = 0xFFFFFFFFFFFFFFFF
_NAMESPACES = ("user.", "trusted.", "security.")
_NAMESPACE, _ELSEWHERE = 0xFF, 0x100  # bits of a type
_LARGEST_VALUE = 1 << 16  # XATTR_SIZE_MAX
_MOST_BYTES = 4 << 20  # of all values of an inode
_MOST_XATTRS = 1 << 16  # the kernel lists 64 KiB of names


class Xattrs:
    """The lists of attributes of an image."""

    def __init__(self, source: ByteSource, metadata: Metadata, superblock: Superblock) -> None:
        self._source = source
        self._metadata = metadata
        self._table = superblock.xattr_table

    def list_of(self, index: int) -> dict[str, bytes]:
        """Names and values of the list that an inode names; `NO_XATTRS` is the empty one."""
        if index == NO_XATTRS or self._table == _NO_TABLE:
            return {}
        table = XattrTable.read(self._source, self._table)
        entry = self._entry(table, index)
        if entry.count > _MOST_XATTRS:
            raise FormatError(f"{entry.count} extended attributes of one file")
        cursor = self._at(table, entry.place)
        found: dict[str, bytes] = {}
        left = _MOST_BYTES
        for _ in range(entry.count):
            header = cursor.record(XattrEntry)
            name = cursor.take(header.name_size).decode("utf-8", "surrogateescape")
            value = self._value(table, cursor, elsewhere=bool(header.type & _ELSEWHERE))
            left -= len(value)
            if left < 0:
                raise FormatError("extended attributes without end")
            namespace = header.type & _NAMESPACE
            if namespace < len(_NAMESPACES):  # as the kernel, which skips those it does not know
                found[_NAMESPACES[namespace] + name] = value
        return found

    def _entry(self, table: XattrTable, index: int) -> XattrList:
        if index >= table.lists:
            raise FormatError(f"list {index} of extended attributes, of {table.lists}")
        block, offset = divmod(index * XattrList.layout().size, METADATA_SIZE)
        pointer = self._table + XattrTable.layout().size + 8 * block
        place = int.from_bytes(self._source.read_at(pointer, 8), "little")
        return XattrList.unpack(self._metadata.block(place), offset)

    def _at(self, table: XattrTable, place: int) -> Cursor:
        """A cursor at a place among the attributes: block << 16 | offset in the block."""
        return Cursor(self._metadata, Place(table.start + (place >> 16), place & 0xFFFF))

    def _value(self, table: XattrTable, cursor: Cursor, *, elsewhere: bool) -> bytes:
        value = _sized(cursor)
        if not elsewhere:
            return value
        if len(value) != 8:
            raise FormatError(f"{len(value)} bytes say where an extended attribute's value is")
        return _sized(self._at(table, int.from_bytes(value, "little")))


def _sized(cursor: Cursor) -> bytes:
    size = int.from_bytes(cursor.take(4), "little")
    if size > _LARGEST_VALUE:
        raise FormatError(f"an extended attribute has a value of {size} bytes")
    return cursor.take(size)
