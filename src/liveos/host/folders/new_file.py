# SPDX-License-Identifier: Apache-2.0
"""Files that a run makes whole under another name before they get theirs; copies with holes."""

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from liveos.errors import RefusedError
from liveos.formats.binary import TruncatedError
from liveos.host import disk

PART_SUFFIX = ".part"
_FICLONE = 0x40049409  # linux/fs.h
# Another filesystem, no reflinks there, or a size that its blocks do not fit.
_CANNOT_CLONE = frozenset(
    {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM}
)


def part_of(path: Path) -> Path:
    """Where a file lies until it is whole."""
    return path.with_name(path.name + PART_SUFFIX)


@contextmanager
def new_file(path: Path, size: int, *, replaces: bool = False) -> Iterator[int]:
    """A descriptor of ``size`` bytes that are zero; the file has its name when the body ends.

    A power cut leaves what was there before or the whole new file, never less; at worst there is
    a ``.part`` beside it. After an error there is none. ``replaces`` also means such a left-over.

    :raises RefusedError: a file of the name exists, and ``replaces`` does not allow that.
    """
    if not replaces:
        _require_absent(path)
    part = part_of(path)
    if replaces:
        part.unlink(missing_ok=True)
    descriptor = _create(part)
    try:
        os.ftruncate(descriptor, size)
        yield descriptor
        os.fsync(descriptor)
        _publish(part, path, replaces=replaces)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    finally:
        os.close(descriptor)


def write_stream(descriptor: int, parts: Iterable[bytes]) -> None:
    """Write parts one after the other, to a file whose size nobody knew before."""
    offset = 0
    for part in parts:
        disk.write_all(descriptor, offset, part)
        offset += len(part)


def clone(source: Path, descriptor: int, size: int) -> bool:
    """Let a file share the first ``size`` bytes of another one; false where that cannot be."""
    with disk.opened(source, os.O_RDONLY) as original:
        try:
            fcntl.ioctl(descriptor, _FICLONE, original)
        except OSError as error:
            if error.errno in _CANNOT_CLONE:
                return False
            raise
    os.ftruncate(descriptor, size)
    return True


def data_ranges(path: Path) -> Iterator[tuple[int, int]]:
    """(start, stop) of everything in a file that is no hole, as its filesystem tells (lseek(2))."""
    with disk.opened(path, os.O_RDONLY) as descriptor:
        stop = 0
        while True:
            try:
                start = os.lseek(descriptor, stop, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return
                raise
            stop = os.lseek(descriptor, start, os.SEEK_HOLE)
            yield start, stop


def read_into(descriptor: int, buffer: memoryview, offset: int) -> None:
    """Fill a buffer from an open file; one that is used again costs less than new ones.

    :raises TruncatedError: the file became shorter.
    """
    while buffer:
        count = os.preadv(descriptor, [buffer], offset)
        if not count:
            raise TruncatedError("the file became shorter while it was read")
        buffer = buffer[count:]
        offset += count


def _create(part: Path) -> int:
    try:
        return os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError as error:
        raise RefusedError(
            f"{part} exists already",
            hint="it may be what an interrupted run left: look, then remove it or add --force",
        ) from error


def _require_absent(path: Path) -> None:
    if os.path.lexists(path):
        raise RefusedError(f"{path} exists", hint="choose another name, or add --force")


def _publish(part: Path, path: Path, *, replaces: bool) -> None:
    """Give the whole file its name, durably; nothing that appeared meanwhile is overwritten."""
    if not replaces:
        _require_absent(path)
    part.rename(path)
    disk.sync_directory(path.parent)
