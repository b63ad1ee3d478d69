# SPDX-License-Identifier: Apache-2.0
"""The blocks of an open file on a mounted filesystem: whether it has all of them, and getting them.

A kernel that finds no block for the store of a snapshot gives the store up, with all that is in it.
"""

import fcntl
import os
from array import array
from contextlib import suppress

from liveos.errors import NoSpaceError
from liveos.sizes import format_size

# FS_IOC_GETFLAGS and FS_IOC_SETFLAGS on 64-bit Linux, and FS_NOCOW_FL: linux/fs.h.
_GET_FLAGS, _SET_FLAGS, _NO_COPY_ON_WRITE = 0x80086601, 0x40086602, 0x00800000


def write_in_place(descriptor: int) -> None:
    """Ask btrfs not to move what is written again; the file must be empty.

    Else a full filesystem has no block even for a file that has all of its own, and swap files
    are refused (btrfs(5), NODATACOW and SWAPFILE SUPPORT). Others do not know the flag.
    """
    with suppress(OSError):
        flags = array("l", [0])
        fcntl.ioctl(descriptor, _GET_FLAGS, flags)
        fcntl.ioctl(descriptor, _SET_FLAGS, array("l", [flags[0] | _NO_COPY_ON_WRITE]))


def is_whole(descriptor: int) -> bool:
    return missing_bytes(descriptor) == 0


def missing_bytes(descriptor: int) -> int:
    """Bytes of a file that have no blocks; these are counted in units of 512 (inode(7))."""
    facts = os.fstat(descriptor)
    return max(0, facts.st_size - facts.st_blocks * 512)


def free_bytes(descriptor: int) -> int:
    space = os.fstatvfs(descriptor)
    return space.f_bavail * space.f_frsize


def allocate(descriptor: int, start: int, size: int) -> None:
    """Give a file of ``size`` bytes all its blocks from ``start`` on.

    :raises NoSpaceError: there are too few; then it ends at ``start``, or stays sparse.
    """
    if size == start:
        return
    try:
        os.posix_fallocate(descriptor, start, size - start)
    except OSError as error:
        os.ftruncate(descriptor, start or size)
        raise NoSpaceError(
            f"{format_size(size - start)} cannot be had: {error.strerror}",
            hint="make room there, or choose another place",
        ) from error
