# SPDX-License-Identifier: Apache-2.0
"""The file or device that becomes a stick: made, wiped, synced, named."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from liveos.errors import RefusedError
from liveos.host.block import claim
from liveos.host.target import UNFINISHED_NOTICE

_PIECE = 4 * 1024 * 1024
_AT_ONCE = 256 * 1024


@contextmanager
def opened(path: Path, flags: int = os.O_RDWR) -> Iterator[int]:
    """A descriptor of ``path``, closed after the body."""
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def create(path: Path, size: int) -> None:
    """A new sparse file whose boot code says that it is unfinished.

    :raises RefusedError: something of this name has appeared meanwhile.
    """
    try:
        with opened(path, os.O_RDWR | os.O_CREAT | os.O_EXCL) as descriptor:
            os.pwrite(descriptor, UNFINISHED_NOTICE, 0)
            os.ftruncate(descriptor, size)
    except FileExistsError as error:
        raise RefusedError(f"{path} has appeared meanwhile", hint="try again") from error


def make_unbootable(path: Path, regions: tuple[tuple[int, int], ...]) -> None:
    """Zero the (offset, length) regions, the notice first, and return when it is on the disk."""
    with opened(path) as descriptor:
        wipe(descriptor, regions)


def wipe(descriptor: int, regions: tuple[tuple[int, int], ...]) -> None:
    """The same of an open file or device."""
    write_all(descriptor, 0, UNFINISHED_NOTICE.ljust(512, b"\0"))
    os.fsync(descriptor)
    for offset, length in regions:
        for start in range(max(offset, 512), offset + length, _PIECE):
            write_all(descriptor, start, bytes(min(_PIECE, offset + length - start)))
    os.fsync(descriptor)


def write_all(descriptor: int, offset: int, data: bytes | memoryview) -> None:
    """Write at an offset, not too much at once.

    The page cache takes a large write in folios that are as large as it, and looks for memory in
    one piece for them: with Linux 6.18, writes of a MiB took three times as long as these.
    """
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view[:_AT_ONCE], offset)
        offset += count
        view = view[count:]


def sync(path: Path) -> None:
    """Return when the file's, or the device's, bytes are on the disk."""
    with opened(path) as descriptor:
        os.fsync(descriptor)


def sync_directory(path: Path) -> None:
    """Return when the names in a directory are on the disk."""
    with opened(path, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
        os.fsync(descriptor)


def reread_partitions(device: Path) -> None:
    """Tell the kernel of the new partition table; on a file there is nobody to tell."""
    with suppress(OSError), opened(device, os.O_RDONLY) as descriptor:
        claim.reread_partitions(descriptor)
