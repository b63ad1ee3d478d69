# SPDX-License-Identifier: Apache-2.0
"""A file or block device kept for oneself while it is changed."""

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from liveos.errors import RefusedError
from liveos.host.use import use_of

# struct flock of fcntl(2) on 64-bit Linux: type, whence, start, length (0: to the end), process.
_WHOLE_FILE = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)

_TAKEN = {errno.EBUSY, errno.EAGAIN, errno.EACCES}
_RIVAL = "another program is working on it"


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Exclusive use of a regular file or block device during the body.

    A device is claimed with O_EXCL: the kernel denies it while the device or a partition of it is
    mounted or part of another device, and denies both meanwhile (open(2)). Both get two locks:
    flock(2), which util-linux and udev respect, and an open file description lock on all bytes,
    which keeps QEMU away and notices one that runs.

    :raises RefusedError: it is in use; the message says by what, where that is known.
    """
    path = Path(os.path.realpath(path))
    use = use_of(path)
    if use is not None:
        raise _in_use(path, use)
    descriptor = _open(path)
    try:
        _lock(path, descriptor)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    exclusive = os.O_EXCL if stat.S_ISBLK(path.stat().st_mode) else 0
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC | exclusive)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise _in_use(path, _RIVAL) from error
        raise


def _lock(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE_FILE)
    except OSError as error:
        if error.errno in _TAKEN:
            raise _in_use(path, _RIVAL) from error
        raise
    if not os.path.samestat(os.fstat(descriptor), path.stat()):
        raise _in_use(path, "another file has just taken its place")


def _in_use(path: Path, use: str) -> RefusedError:
    return RefusedError(
        f"{path} is in use: {use}",
        hint="end that use (umount, losetup -d, power the machine off) and try again",
    )
