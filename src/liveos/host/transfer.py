# SPDX-License-Identifier: Apache-2.0
"""Bytes from a source to a disk, in pieces: hashed on the way, counted when they have arrived."""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from liveos.formats.binary import ByteSource

PIECE = 4 * 1024 * 1024
_WINDOW = 64 * 1024 * 1024

Progress = Callable[[int], None]
"""Called with the number of bytes that have reached the disk so far."""


def pieces(source: ByteSource, size: int) -> Iterator[bytes]:
    """The first ``size`` bytes of a source, in order, at most `PIECE` at a time."""
    for offset in range(0, size, PIECE):
        yield source.read_at(offset, min(PIECE, size - offset))


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

    def write(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            count = os.pwrite(self._descriptor, view, offset)
            offset += count
            self._written += count
            view = view[count:]
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


def hash_file(source: ByteSource, size: int, progress: Progress) -> str:
    """SHA-256 in hexadecimal of the first ``size`` bytes."""
    digest = hashlib.sha256()
    done = 0
    for piece in pieces(source, size):
        digest.update(piece)
        done += len(piece)
        progress(done)
    return digest.hexdigest()


def forget_cached(descriptor: int) -> None:
    """Ask the kernel to drop the clean pages of an open file, so that reads come from the disk."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
