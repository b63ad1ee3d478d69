# SPDX-License-Identifier: Apache-2.0
"""Bytes that come one after the other: from a source, where skipping is free, or in pieces."""

from collections.abc import Iterator
from typing import Protocol

from liveos.formats.binary import ByteSource


class Stream(Protocol):
    """Bytes with a cursor that moves forwards only. At the end, less comes than was asked for."""

    def peek(self, length: int) -> bytes:
        """The next bytes, which stay."""

    def read(self, length: int) -> bytes:
        """The next bytes."""

    def skip(self, length: int) -> None:
        """Go on behind the next bytes, or to the end."""


class SourceStream:
    """A byte source from ``offset`` on; what is skipped is not read."""

    def __init__(self, source: ByteSource, offset: int = 0) -> None:
        self.source = source
        self.offset = offset

    def peek(self, length: int) -> bytes:
        return self.source.read_at(self.offset, min(length, self.source.size - self.offset))

    def read(self, length: int) -> bytes:
        data = self.peek(length)
        self.offset += len(data)
        return data

    def skip(self, length: int) -> None:
        self.offset = min(self.offset + length, self.source.size)


class PieceStream:
    """Pieces of any size, put together as far as is asked for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._data = b""
        self._position = 0

    def peek(self, length: int) -> bytes:
        self._fill(length)
        return self._data[self._position : self._position + length]

    def read(self, length: int) -> bytes:
        data = self.peek(length)
        self._position += len(data)
        return data

    def skip(self, length: int) -> None:
        while length > 0:
            step = len(self._data) - self._position
            if not step:
                self._fill(1)
                step = len(self._data) - self._position
                if not step:
                    return
            step = min(step, length)
            self._position += step
            length -= step

    def _fill(self, length: int) -> None:
        waiting = len(self._data) - self._position
        if waiting >= length:
            return
        parts = [self._data[self._position :]]
        for piece in self._pieces:
            parts.append(piece)
            waiting += len(piece)
            if waiting >= length:
                break
        self._data = b"".join(parts)
        self._position = 0
