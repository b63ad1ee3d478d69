# SPDX-License-Identifier: Apache-2.0
"""Reading what the disk has, past the page cache (O_DIRECT of open(2))."""

import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from liveos.formats.binary import ByteSource, FileSource, TruncatedError
from liveos.host.transfer import PIECE, forget_cached

_ALIGNMENT = 4096


class DirectSource:
    """A file or device whose every read comes from the disk.

    Offsets are multiples of 4096 and lengths at most `PIECE`. Each thread has a buffer of its own,
    because the kernel wants aligned memory.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffers = threading.local()
        self.size = os.lseek(descriptor, 0, os.SEEK_END)

    def read_at(self, offset: int, length: int) -> bytes:
        whole = -(-length // _ALIGNMENT) * _ALIGNMENT
        with memoryview(self._buffer())[:whole] as view:
            if os.preadv(self._descriptor, [view], offset) < length:
                raise TruncatedError(f"the disk ends within {length} bytes at {offset}")
            return bytes(view[:length])

    def _buffer(self) -> mmap.mmap:
        buffer: mmap.mmap | None = getattr(self._buffers, "own", None)
        if buffer is None:
            buffer = self._buffers.own = mmap.mmap(-1, PIECE)
        return buffer


@contextmanager
def from_disk(path: Path) -> Iterator[ByteSource]:
    """A source of what is on the disk; where O_DIRECT is not known, after dropping the cache."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    except OSError:  # tmpfs and some FUSE filesystems
        with FileSource(path) as source:
            yield source
        return
    try:
        forget_cached(descriptor)
        yield DirectSource(descriptor)
    finally:
        os.close(descriptor)
