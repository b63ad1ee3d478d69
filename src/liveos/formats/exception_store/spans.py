# SPDX-License-Identifier: Apache-2.0
"""Parts of a store that are kept without the rest: its metadata, or whatever will be overwritten.

What was not kept reads as zeros, so that every reader of stores reads these, too.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from liveos.formats.binary import ByteSource, FormatError, TruncatedError
from liveos.formats.exception_store.geometry import Geometry
from liveos.formats.exception_store.reader import ExceptionStore

# The kernel writes zeros behind the header; before 2.6.36 it could be anything (reference 1.10).
HEADER_READ = 1 << 16


@dataclass(frozen=True, slots=True)
class Span:
    """``count`` pieces of ``length`` bytes, ``stride`` bytes from the start of one to the next."""

    offset: int
    length: int
    stride: int
    count: int

    @classmethod
    def single(cls, offset: int, length: int) -> "Span":
        """One piece."""
        return cls(offset, length, length, 1)

    @property
    def end(self) -> int:
        """Behind the last piece."""
        return self.offset + (self.count - 1) * self.stride + self.length

    @property
    def content(self) -> int:
        """Bytes of all pieces together."""
        return self.length * self.count

    def pieces(self) -> Iterator[tuple[int, int]]:
        """(offset, length) of each piece."""
        for number in range(self.count):
            yield self.offset + number * self.stride, self.length


def metadata_spans(store: ExceptionStore) -> tuple[Span, ...]:
    """The header, and the areas as far as the list of exceptions goes."""
    return spans_for(store.geometry, store.size, store.count)


def spans_for(geometry: Geometry, size: int, exceptions: int) -> tuple[Span, ...]:
    """The header and the areas of a list of so many exceptions, with the one where it ends.

    That one may be missing, where the store ends before the list does.
    """
    chunk = geometry.chunk_size
    header = Span.single(0, min(chunk, HEADER_READ, size))
    wanted = exceptions // geometry.slots_per_area + 1
    areas = min(wanted, geometry.areas_in(geometry.chunks_in(size)))
    if not areas:
        return (header,)
    return header, Span(geometry.area_chunk(0) * chunk, chunk, geometry.stride * chunk, areas)


class SpannedSource:
    """A byte source of ``size`` bytes: ``content`` holds those of ``spans``, the others are zero.

    The spans are in order and do not overlap; their pieces lie in ``content`` without gaps.

    :raises FormatError: the spans are not like that.
    """

    def __init__(self, size: int, spans: Sequence[Span], content: ByteSource) -> None:
        _check(size, spans)
        self._size = size
        self.spans = tuple(spans)
        self._content = content
        self._ends = [span.end for span in self.spans]
        self._starts = [0]  # of each span, in the content
        for span in self.spans:
            self._starts.append(self._starts[-1] + span.content)
        if self._starts[-1] != content.size:
            raise FormatError(f"{content.size} bytes are kept for {self._starts[-1]}")

    @property
    def size(self) -> int:
        return self._size

    def read_at(self, offset: int, length: int) -> bytes:
        end = offset + length
        if offset < 0 or length < 0 or end > self._size:
            raise TruncatedError(f"bytes {offset}..{end} lie outside a store of {self._size} bytes")
        data = bytearray(length)
        for place, position, many in self._kept(offset, end):
            part = self._content.read_at(position, many)
            data[place - offset : place - offset + many] = part
        return bytes(data)

    def _kept(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(offset, position in the content, length) of what is kept between two offsets."""
        for index in range(bisect_right(self._ends, start), len(self.spans)):
            span = self.spans[index]
            if span.offset >= end:
                return
            first = max(0, start - span.offset) // span.stride
            last = min(span.count, -(-(end - span.offset) // span.stride))
            for number in range(first, last):
                piece = span.offset + number * span.stride
                low, high = max(piece, start), min(piece + span.length, end)
                if low < high:
                    position = self._starts[index] + number * span.length + low - piece
                    yield low, position, high - low


def _check(size: int, spans: Sequence[Span]) -> None:
    end = 0
    for span in spans:
        if span.length < 1 or span.count < 1 or span.stride < span.length or span.offset < end:
            raise FormatError("what is kept of a store overlaps, or is not in order")
        end = span.end
    if end > size:
        raise FormatError(f"what is kept of a store of {size} bytes goes on to byte {end}")
