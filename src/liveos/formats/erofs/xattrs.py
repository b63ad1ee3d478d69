# SPDX-License-Identifier: Apache-2.0
"""Extended attributes of EROFS (``fs/erofs/xattr.c`` and ``erofs_fs.h`` of the kernel).

An inode has a header, numbers of attributes that it shares with others, then its own ones. Names
begin with a namespace, or with one of the image's long prefixes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from liveos.formats.binary import ByteSource, FormatError, Record, u8, u16, u32

ReadMetadata = Callable[[int, int], bytes]

_NAMESPACES = {
    1: "user.",
    2: "system.posix_acl_access",
    3: "system.posix_acl_default",
    4: "trusted.",
    6: "security.",
}
_LONG_PREFIX = 0x80  # bit of a namespace: the others count the image's prefixes
_ALIGNMENT = 4  # of entries and prefixes; shared ones are numbered by it
_MOST_BYTES = 4 << 20  # of all values of an inode


@dataclass(frozen=True)
class _Header(Record):
    """``erofs_xattr_ibody_header``: before the attributes of an inode."""

    name_filter: u32
    shared: u8
    reserved: Annotated[bytes, "7s"]


@dataclass(frozen=True)
class _Entry(Record):
    """``erofs_xattr_entry``; name and value follow."""

    name_length: u8
    namespace: u8
    value_size: u16


HEADER_SIZE = _Header.layout().size


class Xattrs:
    """Reads attributes; ``shared`` is the byte of the image where the shared ones begin."""

    def __init__(self, metadata: ReadMetadata, shared: int, prefixes: Sequence[str]) -> None:
        self._metadata = metadata
        self._shared = shared
        self._prefixes = prefixes

    def list_of(self, start: int, size: int) -> dict[str, bytes]:
        """Names and values of an inode whose attributes take ``size`` bytes from ``start``."""
        found: dict[str, bytes] = {}
        left = _MOST_BYTES
        for position in self._positions(start, size):
            entry, name, value = self._read(position)
            left -= len(value)
            if left < 0:
                raise FormatError("extended attributes without end")
            full_name = self._full_name(entry.namespace, name)
            if full_name is not None:
                found[full_name] = value
        return found

    def _positions(self, start: int, size: int) -> Iterator[int]:
        """Where the entries are: shared ones by number, own ones end to end."""
        header = _Header.unpack(self._metadata(start, HEADER_SIZE))
        own = start + HEADER_SIZE + 4 * header.shared
        end = start + size
        if own > end:
            raise FormatError(f"{header.shared} shared extended attributes in {size} bytes")
        numbers = self._metadata(start + HEADER_SIZE, 4 * header.shared)
        for number in memoryview(numbers).cast("I"):
            yield self._shared + _ALIGNMENT * number
        while own < end:
            yield own
            entry = _Entry.unpack(self._metadata(own, _Entry.layout().size))
            length = _Entry.layout().size + entry.name_length + entry.value_size
            own += -(-length // _ALIGNMENT) * _ALIGNMENT

    def _read(self, position: int) -> tuple[_Entry, bytes, bytes]:
        size = _Entry.layout().size
        entry = _Entry.unpack(self._metadata(position, size))
        data = self._metadata(position + size, entry.name_length + entry.value_size)
        return entry, data[: entry.name_length], data[entry.name_length :]

    def _full_name(self, namespace: int, name: bytes) -> str | None:
        """The name as listxattr(2) has it; None in a namespace that Linux does not show."""
        rest = name.decode("utf-8", "surrogateescape")
        if namespace & _LONG_PREFIX:
            index = namespace & ~_LONG_PREFIX
            if index >= len(self._prefixes):
                raise FormatError(f"prefix {index} of extended attributes does not exist")
            return self._prefixes[index] + rest
        prefix = _NAMESPACES.get(namespace)
        return None if prefix is None else prefix + rest


def read_prefixes(source: ByteSource, start: int, count: int) -> list[str]:
    """The image's long prefixes: each a length, a namespace, and what follows it."""
    prefixes = []
    for _ in range(count):
        start = -(-start // _ALIGNMENT) * _ALIGNMENT
        length = int.from_bytes(source.read_at(start, 2), "little")
        data = source.read_at(start + 2, length)
        start += 2 + length
        namespace = _NAMESPACES.get(data[0]) if data else None
        if namespace is None:
            raise FormatError("a prefix of extended attributes has no namespace")
        prefixes.append(namespace + data[1:].decode("utf-8", "surrogateescape"))
    return prefixes
