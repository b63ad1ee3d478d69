# SPDX-License-Identifier: Apache-2.0
"""Changes to a store, tried in memory first: read, checked, and only then made."""

from collections.abc import Iterator

from liveos.formats.binary import ByteSink, ByteSource, TruncatedError
from liveos.formats.exception_store.spans import Span

_PAGE = 4096


class Trial:
    """A store as it will be after some writes, which are kept with their barriers, in order.

    It may be longer than its source; what is added reads as zeros. Keeps what is written in
    memory, twice.
    """

    def __init__(self, source: ByteSource, size: int | None = None) -> None:
        self._source = source
        self.size = source.size if size is None else size
        self._pages: dict[int, bytearray] = {}
        self._log: list[tuple[int, bytes] | None] = []

    def read_at(self, offset: int, length: int) -> bytes:
        self._require(offset, length)
        data = bytearray(self._original(offset, length))
        for page in self._changed(offset, length):
            start = page * _PAGE
            low, high = max(offset, start), min(offset + length, start + _PAGE)
            data[low - offset : high - offset] = self._pages[page][low - start : high - start]
        return bytes(data)

    def write_at(self, offset: int, data: bytes) -> None:
        self._require(offset, len(data))
        self._log.append((offset, data))
        end = offset + len(data)
        for page in range(offset // _PAGE, -(-end // _PAGE)):
            start = page * _PAGE
            low, high = max(offset, start), min(end, start + _PAGE)
            content = self._pages.get(page)
            if content is None:
                content = self._pages[page] = bytearray(self._original(start, _PAGE))
            content[low - start : high - start] = data[low - offset : high - offset]

    def flush(self) -> None:
        self._log.append(None)

    @property
    def writes(self) -> bool:
        """Whether anything was written."""
        return bool(self._pages)

    def grow(self, size: int) -> None:
        """Let the store end at ``size`` bytes, not before where it ends now."""
        self.size = max(self.size, size)

    def carry_out(self, sink: ByteSink) -> None:
        """Do the same with a store: each write in its place between the same barriers."""
        for write in self._log:
            if write is None:
                sink.flush()
            else:
                sink.write_at(*write)
        sink.flush()

    def overwritten(self) -> Iterator[Span]:
        """The parts of the source that the writes change, in order: what an undo needs."""
        end = self._source.size
        runs = sorted(
            (write[0], write[0] + len(write[1])) for write in self._log if write is not None
        )
        begun: tuple[int, int] | None = None
        for low, high in runs:
            if begun is not None and low <= begun[1]:
                begun = begun[0], max(begun[1], high)
                continue
            yield from _span(begun, end)
            begun = low, high
        yield from _span(begun, end)

    def _original(self, offset: int, length: int) -> bytes:
        there = max(0, min(length, self._source.size - offset))
        found = self._source.read_at(offset, there) if there else b""
        return found.ljust(length, b"\0")

    def _changed(self, offset: int, length: int) -> Iterator[int]:
        """The pages of a range that were written to."""
        pages = range(offset // _PAGE, -(-(offset + length) // _PAGE))
        if len(pages) > len(self._pages):
            return iter([page for page in self._pages if page in pages])
        return iter([page for page in pages if page in self._pages])

    def _require(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise TruncatedError(
                f"bytes {offset}..{offset + length} lie outside a store of {self.size} bytes"
            )


def _span(run: tuple[int, int] | None, end: int) -> Iterator[Span]:
    if run is not None and run[0] < min(run[1], end):
        yield Span.single(run[0], min(run[1], end) - run[0])
