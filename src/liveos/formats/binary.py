# SPDX-License-Identifier: Apache-2.0
"""Byte sources and fixed-layout records: what every format reader stands on."""

import bisect
import itertools
import os
import struct
import typing
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, ClassVar, Protocol, Self, runtime_checkable

u8 = Annotated[int, "B"]
u16 = Annotated[int, "H"]
u32 = Annotated[int, "I"]
u64 = Annotated[int, "Q"]
i32 = Annotated[int, "i"]


class FormatError(Exception):
    """Bytes that are not what the specification allows."""


class TruncatedError(FormatError):
    """The source ends before the structure does."""


class ByteSource(Protocol):
    """Random access to ``size`` bytes. No cursor: safe to share, trivial to fake."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes at ``offset``; `TruncatedError` when they are not there."""


@runtime_checkable
class CanFill(Protocol):
    """What some byte sources can do besides, to spare a copy; see `read_into`."""

    def fill(self, offset: int, buffer: memoryview) -> None:
        """Put the bytes at ``offset`` into all of ``buffer``."""


def read_into(source: ByteSource, offset: int, buffer: memoryview) -> None:
    """Fill ``buffer``, whose items are bytes; `TruncatedError` when there are not so many.

    For memory that is used again and again: new pages take longer than their bytes.
    """
    if isinstance(source, CanFill):
        source.fill(offset, buffer)
    else:
        buffer[:] = source.read_at(offset, len(buffer))


class ByteSink(Protocol):
    """Random-access writing, with the one barrier that crash safety can be built on."""

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of ``data`` at ``offset``."""

    def flush(self) -> None:
        """Return when everything written before is durable."""


class ByteStore(ByteSource, ByteSink, Protocol):
    """Both: bytes of a fixed size that can be read and written in place."""


class MemorySource:
    """A byte source over bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def read_at(self, offset: int, length: int) -> bytes:
        _check_range(self, offset, length)
        return self._data[offset : offset + length]


class FileSource:
    """A regular file or block device, read with ``pread``; counts the bytes it has read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes_read = 0
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    @cached_property
    def size(self) -> int:
        return os.lseek(self._fd, 0, os.SEEK_END)

    def read_at(self, offset: int, length: int) -> bytes:
        _check_range(self, offset, length)
        parts = []
        while length:
            part = os.pread(self._fd, length, offset)
            if not part:
                message = f"{self.path}: the file became shorter while it was read"
                raise TruncatedError(message)
            parts.append(part)
            offset += len(part)
            length -= len(part)
            self.bytes_read += len(part)
        return b"".join(parts)

    def fill(self, offset: int, buffer: memoryview) -> None:
        _check_range(self, offset, len(buffer))
        while buffer:
            count = os.preadv(self._fd, [buffer], offset)
            if not count:
                message = f"{self.path}: the file became shorter while it was read"
                raise TruncatedError(message)
            offset += count
            buffer = buffer[count:]
            self.bytes_read += count

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Window:
    """``size`` bytes of another source from ``offset``: a partition, an extent, a file."""

    def __init__(self, source: ByteSource, offset: int, size: int) -> None:
        if offset < 0 or size < 0 or offset + size > source.size:
            raise TruncatedError(
                f"bytes {offset}..{offset + size} lie outside a source of {source.size} bytes"
            )
        self._source = source
        self.offset = offset
        self._size = size

    @property
    def size(self) -> int:
        return self._size

    def read_at(self, offset: int, length: int) -> bytes:
        _check_range(self, offset, length)
        return self._source.read_at(self.offset + offset, length)

    def fill(self, offset: int, buffer: memoryview) -> None:
        _check_range(self, offset, len(buffer))
        read_into(self._source, self.offset + offset, buffer)


class MeteredSource:
    """Another source, of which no more than ``limit`` bytes may be read in all.

    Directories come through one of these, so that a hostile tree cannot take without end.
    """

    def __init__(self, source: ByteSource, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._left = limit

    @property
    def size(self) -> int:
        return self._source.size

    def read_at(self, offset: int, length: int) -> bytes:
        self._left -= length
        if self._left < 0:
            raise FormatError(f"the directories take more than {self._limit} bytes")
        return self._source.read_at(offset, length)


@dataclass(frozen=True, slots=True)
class Extent:
    """``length`` contiguous bytes at ``offset`` of some container; offset None is a hole."""

    offset: int | None
    length: int


class ExtentSource:
    """A file that lies in pieces: extents of a container, one after the other."""

    def __init__(self, container: ByteSource, extents: typing.Sequence[Extent]) -> None:
        self._container = container
        self.extents = tuple(extents)
        ends = itertools.accumulate(extent.length for extent in self.extents)
        self._starts = [0, *ends]

    @property
    def size(self) -> int:
        return self._starts[-1]

    def read_at(self, offset: int, length: int) -> bytes:
        _check_range(self, offset, length)
        end = offset + length
        parts = []
        index = bisect.bisect_right(self._starts, offset) - 1
        while offset < end:
            extent, within = self.extents[index], offset - self._starts[index]
            piece = min(end - offset, extent.length - within)
            if extent.offset is None:
                parts.append(bytes(piece))
            else:
                parts.append(self._container.read_at(extent.offset + within, piece))
            offset += piece
            index += 1
        return b"".join(parts)


@dataclass(frozen=True)
class Record:
    """A frozen dataclass whose annotations are its on-disk layout.

    Fields are declared with `u8`, `u16`, `u32`, `u64`, or ``Annotated[bytes, "16s"]``; they are
    packed without padding in the byte order that ``byte_order`` names. What can be unpacked can
    be packed again.
    """

    byte_order: ClassVar[str] = "<"

    @classmethod
    def layout(cls) -> struct.Struct:
        """The compiled layout of the record."""
        layout = _LAYOUTS.get(cls)
        if layout is None:
            hints = typing.get_type_hints(cls, include_extras=True)
            codes = (hints[field.name].__metadata__[0] for field in fields(cls))
            layout = _LAYOUTS[cls] = struct.Struct(cls.byte_order + "".join(codes))
        return layout

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """The record at ``offset`` of ``data``; `TruncatedError` when it does not fit."""
        layout = cls.layout()
        if offset < 0 or offset + layout.size > len(data):
            message = f"{cls.__name__} needs {layout.size} bytes at {offset}, found {len(data)}"
            raise TruncatedError(message)
        return cls(*layout.unpack_from(data, offset))

    @classmethod
    def read(cls, source: ByteSource, offset: int) -> Self:
        """The record at ``offset`` of a source."""
        return cls.unpack(source.read_at(offset, cls.layout().size))

    def pack(self) -> bytes:
        """The bytes on disk."""
        values: list[Any] = [getattr(self, field.name) for field in fields(self)]
        return self.layout().pack(*values)


_LAYOUTS: dict[type[Record], struct.Struct] = {}


def _check_range(source: ByteSource, offset: int, length: int) -> None:
    if offset < 0 or length < 0 or offset + length > source.size:
        raise TruncatedError(
            f"bytes {offset}..{offset + length} lie outside a source of {source.size} bytes"
        )
