# SPDX-License-Identifier: Apache-2.0
"""Bytes from a source to a disk, in pieces: hashed on the way, counted when they have arrived."""

import os
import stat
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from liveos.formats.binary import ByteSource
from liveos.host import disk
from liveos.host.block.claim import drop_buffers

PIECE = 1 * 1024 * 1024
_WINDOW = 64 * 1024 * 1024
_AHEAD = 4

Progress = Callable[[int], None]
"""Called with the number of bytes that have reached the disk so far."""


def pieces(source: ByteSource, size: int) -> Iterator[bytes]:
    """The first ``size`` bytes of a source, in order, at most `PIECE` at a time."""
    for offset in range(0, size, PIECE):
        yield source.read_at(offset, min(PIECE, size - offset))


class ReadAhead:
    """A byte source that reads on while its last bytes are being used.

    After a read, the bytes that follow are fetched in threads, in pieces of the same size. Whoever
    reads from the beginning to the end then waits for the disk or for the processor, not for both.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._threads = ThreadPoolExecutor(_AHEAD, thread_name_prefix="read-ahead")
        self._fetched: deque[tuple[tuple[int, int], Future[bytes]]] = deque()

    @property
    def size(self) -> int:
        return self._source.size

    def read_at(self, offset: int, length: int) -> bytes:
        if not self._fetched or self._fetched[0][0] != (offset, length):
            self._fetched.clear()
            self._fetch(offset, length)
        data = self._fetched.popleft()[1].result()
        following = self._fetched[-1][0] if self._fetched else (offset, length)
        while len(self._fetched) < _AHEAD and sum(following) < self.size:
            start = sum(following)
            following = (start, min(length, self.size - start))
            self._fetch(*following)
        return data

    def _fetch(self, offset: int, length: int) -> None:
        future = self._threads.submit(self._source.read_at, offset, length)
        self._fetched.append(((offset, length), future))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


class DurableWriter:
    """Writes at offsets of an open file, and calls ``progress`` when bytes are on the disk.

    The disk is asked to write while the next pieces are read: at most two windows of 64 MiB wait
    in memory that belongs to the page cache, whatever the size of the whole.
    """

    def __init__(self, descriptor: int, progress: Progress) -> None:
        self._descriptor = descriptor
        self._progress = progress
        self._written = 0
        self._asked = 0
        self._sync: Future[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sync")

    def write(self, offset: int, data: bytes | memoryview) -> None:
        disk.write_all(self._descriptor, offset, data)
        self._written += len(data)
        if self._written - self._asked >= _WINDOW:
            self._await()
            self._asked = self._written
            self._sync = self._thread.submit(os.fdatasync, self._descriptor)

    def finish(self) -> None:
        """Return when everything is on the disk."""
        self._await()
        os.fdatasync(self._descriptor)
        self._progress(self._written)

    def _await(self) -> None:
        if self._sync is not None:
            self._sync.result()
            self._progress(self._asked)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)


def crc32_of(source: ByteSource, size: int, progress: Progress) -> int:
    """The quick sum of `Sums` of the first ``size`` bytes."""
    crc32 = done = 0
    with ReadAhead(source) as ahead:
        for piece in pieces(ahead, size):
            crc32 = zlib.crc32(piece, crc32)
            done += len(piece)
            progress(done)
    return crc32


def forget_cached(descriptor: int) -> None:
    """Ask the kernel to drop the clean pages of an open file, so that reads come from the disk.

    Of a block device root can have all dropped.
    """
    if stat.S_ISBLK(os.fstat(descriptor).st_mode):
        drop_buffers(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
