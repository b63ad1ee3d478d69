# SPDX-License-Identifier: Apache-2.0
"""Reading the text of `text`: a store again, whose data read as zeros.

The text may come from anywhere: lines, numbers and counts are bounded before they count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store.errors import ChunkSizeError
from liveos.formats.exception_store.geometry import RECORD, Geometry
from liveos.formats.exception_store.header import Header
from liveos.formats.exception_store.reader import MAX_EXCEPTIONS
from liveos.formats.exception_store.spans import Span, SpannedSource, spans_for
from liveos.formats.exception_store.text import (
    FORMAT,
    FORMAT_VERSION,
    HEADER_END,
    PADDING_PER_LINE,
)
from liveos.formats.exception_store.text_lines import MAX_U64, Block, Line, blocks

_MAX_SIZE = (1 << 63) - 1
_MAX_U32 = (1 << 32) - 1
_PIECE = 1 << 20
_PREFIX = b'{"format":'


@dataclass(frozen=True, slots=True)
class RunSum:
    """What the data of a run must be: the SHA-256 of ``length`` chunks from ``new`` on."""

    new: int
    length: int
    sha256: str


def is_text(source: ByteSource) -> bool:
    """Whether the source begins as `write_text` begins."""
    return source.size >= len(_PREFIX) and source.read_at(0, len(_PREFIX)) == _PREFIX


def read_text(source: ByteSource) -> SpannedSource:
    """The store that a text describes: its header and areas; the data read as zeros.

    :raises FormatError: it is no such text; the message has the number of the line.
    """
    return _Reader(source).store()


def read_sums(source: ByteSource) -> Iterator[RunSum]:
    """The sums of the runs' data, where the text has some, one after the other."""
    for block in blocks(source):
        for line in block.lines() if b'"sha256"' in block.text else ():
            members = line.members()
            digest = line.digest(members)
            if digest is not None:
                length = line.number(members, "length", MAX_EXCEPTIONS)
                yield RunSum(line.number(members, "new"), length, digest)


@dataclass(frozen=True, slots=True)
class _Head:
    """The first line."""

    size: int
    geometry: Geometry
    header: Header
    exceptions: int

    @classmethod
    def of(cls, line: Line) -> "_Head":
        members = line.members()
        if members.get("format") != FORMAT:
            raise line.wrong("not the text of a snapshot store")
        if line.number(members, "version") != FORMAT_VERSION:
            raise line.wrong(f"version {members['version']}; version {FORMAT_VERSION} is known")
        line.only(members, "format", "version", "size", "chunk_sectors", "header", "exceptions")
        head = cls(
            line.number(members, "size", _MAX_SIZE),
            _geometry(line, members),
            _header(line, members.get("header")),
            line.number(members, "exceptions", MAX_EXCEPTIONS),
        )
        head._check(line)
        return head

    def _check(self, line: Line) -> None:
        """The areas of the list lie in the store, but for one that would only end it."""
        slots = self.geometry.slots_per_area
        areas = self.geometry.areas_in(self.geometry.chunks_in(self.size))
        if self.size < HEADER_END or -(-self.exceptions // slots) > areas:
            raise line.wrong(f"{self.size} bytes have no room for {self.exceptions} exceptions")


def _geometry(line: Line, members: dict[str, Any]) -> Geometry:
    try:
        return Geometry(line.number(members, "chunk_sectors", _MAX_U32))
    except ChunkSizeError as error:
        raise line.wrong(str(error)) from error


def _header(line: Line, members: object) -> Header:
    names = ("magic", "valid", "version", "chunk_sectors")
    if not isinstance(members, dict):
        raise line.wrong("header must be an object")
    line.only(members, *names)
    return Header(*(line.number(members, name, _MAX_U32) for name in names))


class _Reader:
    """A text, taken block by block, and line by line where a block is not all plain runs."""

    def __init__(self, source: ByteSource) -> None:
        parts = blocks(source)
        block = next(parts, None)
        if block is None:
            raise FormatError("an empty file is not the text of a snapshot store")
        lines = block.lines()
        self._last = next(lines)
        self._head = _Head.of(self._last)
        self._runs = _Runs(self._head.exceptions)
        self._spans = spans_for(self._head.geometry, self._head.size, self._head.exceptions)
        self._header = bytearray(self._spans[0].length)
        self._header[:HEADER_END] = self._head.header.pack()
        self._tail: dict[int, tuple[int, int]] = {}
        self._complete = False
        self._take_lines(lines)
        for block in parts:
            self._take_block(block)
        if not self._complete:
            end = "the text was cut short: its last line, with the number, is missing"
            raise self._last.wrong(end)

    def store(self) -> SpannedSource:
        old, new = self._runs.columns()
        content = _Content(bytes(self._header), self._spans[1:], old, new, self._tail)
        return SpannedSource(self._head.size, self._spans, content)

    def _take_block(self, block: Block) -> None:
        runs = None if self._complete else block.runs()
        if runs is not None and self._runs.add_all(runs):
            self._last = Line(block.place + len(runs) - 1, b"")
        else:
            self._take_lines(block.lines())

    def _take_lines(self, lines: Iterator[Line]) -> None:
        for line in lines:
            self._take(line)
            self._last = line

    def _take(self, line: Line) -> None:
        if self._complete:
            raise line.wrong("something follows the last line")
        self._take_members(line, line.members())

    def _take_members(self, line: Line, members: dict[str, Any]) -> None:
        if "length" in members:
            self._take_run(line, members)
        elif "slot" in members:
            self._take_slot(line, members)
        elif "at" in members:
            self._take_bytes(line, members)
        else:
            self._end(line, members)

    def _take_run(self, line: Line, members: dict[str, Any]) -> None:
        line.only(members, "old", "new", "length", "sha256")
        line.digest(members)
        self._runs.add(line, *(line.number(members, name) for name in ("old", "new", "length")))

    def _take_slot(self, line: Line, members: dict[str, Any]) -> None:
        line.only(members, "slot", "old", "new")
        slot, old, new = (line.number(members, name) for name in ("slot", "old", "new"))
        count, slots = self._head.exceptions, self._head.geometry.slots_per_area
        in_store = (self._spans[1].count if self._spans[1:] else 0) * slots
        if not count <= slot < in_store or slot in self._tail:
            raise line.wrong(f"slot {slot} is not one behind the end of the list, or comes again")
        if slot == count and new:
            raise line.wrong(f"slot {slot} ends the list, so its new must be 0")
        self._tail[slot] = (old, new)

    def _take_bytes(self, line: Line, members: dict[str, Any]) -> None:
        line.only(members, "at", "bytes")
        offset = line.number(members, "at")
        try:
            data = bytes.fromhex(members["bytes"])
        except (KeyError, TypeError, ValueError) as error:
            raise line.wrong("bytes must be hexadecimal digits") from error
        end = offset + len(data)
        if offset < HEADER_END or end > len(self._header) or len(data) > PADDING_PER_LINE:
            raise line.wrong("these bytes do not lie behind the header, in its chunk")
        self._header[offset:end] = data

    def _end(self, line: Line, members: dict[str, Any]) -> None:
        line.only(members, "lines")
        if line.number(members, "lines") != line.place:
            raise line.wrong(f"this should be line {members['lines']}: lines were lost or added")
        self._runs.check_complete(line)
        self._complete = True


class _Runs:
    """Runs as they come, made columns in batches."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._left = expected
        self._olds: list[NDArray[np.unsignedinteger]] = []
        self._news: list[NDArray[np.unsignedinteger]] = []

    def add(self, line: Line, old: int, new: int, length: int) -> None:
        if not 0 < length <= self._left:
            raise line.wrong(f"a run of {length}, where {self._left} exceptions are left")
        if new == 0 or max(old, new) + length - 1 > MAX_U64:
            raise line.wrong("a run that no record can have")
        for start in range(0, length, _PIECE):
            many = min(_PIECE, length - start)
            self._spread(np.array([[old + start, new + start, many]], np.uint64))

    def add_all(self, runs: NDArray[np.uint64]) -> bool:
        """Add (old, new, length) rows; false, and nothing done, if they are wrong or too long."""
        lengths = runs[:, 2]
        most = min(self._left, _PIECE)
        fits = int(lengths.min()) > 0 and int(lengths.sum()) <= most and runs[:, 1].all()
        if fits:
            self._spread(runs)
        return bool(fits)

    def check_complete(self, line: Line) -> None:
        if self._left:
            raise line.wrong(f"{self._left} of {self._expected} exceptions are missing")

    def columns(self) -> tuple[NDArray[np.unsignedinteger], NDArray[np.unsignedinteger]]:
        old = _joined(self._olds)
        return old, _joined(self._news)

    def _spread(self, runs: NDArray[np.uint64]) -> None:
        """The records of runs, as two columns more."""
        lengths = runs[:, 2].astype(np.int64)
        total = int(lengths.sum())
        within = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        for column, kept in ((0, self._olds), (1, self._news)):
            kept.append(_narrowed(np.repeat(runs[:, column], lengths) + within.astype(np.uint64)))
        self._left -= total


def _narrowed(column: NDArray[np.uint64]) -> NDArray[np.unsignedinteger]:
    fits = not len(column) or int(column.max()) <= _MAX_U32
    return column.astype(np.uint32 if fits else np.uint64)


def _joined(columns: list[NDArray[np.unsignedinteger]]) -> NDArray[np.unsignedinteger]:
    joined = np.concatenate(columns) if columns else np.empty(0, np.uint32)
    columns.clear()
    return joined


class _Content:
    """The bytes of the header, then those of the areas, made when they are read."""

    def __init__(
        self,
        header: bytes,
        areas: tuple[Span, ...],
        old: NDArray[np.unsignedinteger],
        new: NDArray[np.unsignedinteger],
        tail: dict[int, tuple[int, int]],
    ) -> None:
        self._header = header
        self._old, self._new, self._tail = old, new, tail
        self.size = len(header) + sum(span.content for span in areas)

    def read_at(self, offset: int, length: int) -> bytes:
        end = offset + length
        head = self._header[offset:end]
        start, stop = max(0, offset - len(self._header)), max(0, end - len(self._header))
        if start == stop:
            return head
        first = start // RECORD.itemsize
        slots = self._slots(first, -(-stop // RECORD.itemsize))
        return head + slots[start - first * RECORD.itemsize :][: stop - start]

    def _slots(self, first: int, last: int) -> bytes:
        records = np.zeros(last - first, RECORD)
        listed = len(self._old[first:last])
        records["old"][:listed] = self._old[first:last]
        records["new"][:listed] = self._new[first:last]
        if last > len(self._old):
            for slot, values in self._tail.items():
                if first <= slot < last:
                    records[slot - first] = values
        return records.tobytes()
