# SPDX-License-Identifier: Apache-2.0
"""Taking a disk over for the time that it is written, and letting it go."""

import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from liveos.errors import RefusedError
from liveos.host.block.device import BlockDevice, device_at
from liveos.host.block.machine import Machine

_REREAD_PARTITIONS = 0x125F  # BLKRRPART, linux/fs.h
_FLUSH_BUFFERS = 0x1261  # BLKFLSBUF
_DISK_SEQUENCE = 0x80081280  # BLKGETDISKSEQ: a 64-bit number (Linux 5.15)
_PATIENCE = 5.0
"""Seconds that udev may take to look at a device that has just been plugged in."""


class Claim:
    """A disk that nobody else uses meanwhile.

    flock(2) keeps udev, and all who wait for udev, away until the end (systemd,
    "Locking Block Device Access"). O_EXCL keeps mounts and other claims away, but mkfs programs
    want it for themselves: `share` gives it up when there are no partitions left to mount.

    ``lent`` is a descriptor with O_EXCL of a disk that udisks2 has opened for us.
    """

    def __init__(self, path: Path, lent: int | None = None) -> None:
        self._path = path
        self.descriptor = _open(path, 0) if lent is None else lent
        self._exclusive = -1
        try:
            _lock(self.descriptor, path)
            if lent is None:
                self._exclusive = _open(path, os.O_EXCL)
        except BaseException:
            self.release()
            raise

    def require(self, planned: BlockDevice) -> None:
        """:raises RefusedError: the disk is not the one that the plan was made for."""
        node = Machine().at(self._path)
        now = None if node is None else device_at(node, Machine())
        if now is None or _identity(now) != _identity(planned):
            raise changed(planned)
        sequence = disk_sequence(self.descriptor)
        if None not in {sequence, planned.diskseq} and sequence != planned.diskseq:
            raise changed(planned)

    def share(self) -> None:
        """Let the kernel forget the old partitions, and programs of ours open the disk."""
        reread_partitions(self.descriptor)
        _close(self._exclusive)
        self._exclusive = -1

    def release(self) -> None:
        """Give the disk back; udev looks at it now."""
        for descriptor in (self._exclusive, self.descriptor):
            _close(descriptor)
        self._exclusive = self.descriptor = -1


def changed(planned: BlockDevice) -> RefusedError:
    return RefusedError(
        f"{planned.path} is not the device any more that was looked at: {planned.made_by}",
        hint="it has been exchanged meanwhile; see liveos devices, and plan again",
    )


def disk_sequence(descriptor: int) -> int | None:
    """The number of the disk behind a descriptor, which no other disk gets; None if unknown."""
    try:
        (sequence,) = struct.unpack("Q", fcntl.ioctl(descriptor, _DISK_SEQUENCE, bytes(8)))
    except OSError:
        return None
    return int(sequence)


def reread_partitions(descriptor: int) -> None:
    """Tell the kernel of the partition table; only root may.

    For others udev does: it looks at every disk that has been open for writing when it is closed.
    """
    with suppress(OSError):  # EBUSY and EACCES are no harm: it looks when the stick is plugged in
        fcntl.ioctl(descriptor, _REREAD_PARTITIONS)


def drop_buffers(descriptor: int) -> None:
    """Drop what the page cache has of a device, so that reads come from it; only root may."""
    with suppress(OSError):
        fcntl.ioctl(descriptor, _FLUSH_BUFFERS)


def detach(node: Path | None) -> bool:
    """Flush a SCSI disk, as USB sticks are, and let the kernel forget it: it can be pulled out.

    ``delete`` in sysfs sends SYNCHRONIZE CACHE first (Linux, drivers/scsi/sd.c, sd_shutdown). A
    disk of another kind has no such file; what was synced is all that can be done for it. False
    if it has none, or may not be detached.
    """
    if node is None:
        return False
    try:
        # It cannot be opened for reading, and must not be made where it is missing.
        descriptor = os.open(node / "device/delete", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(descriptor, b"1\n")
    finally:
        os.close(descriptor)
    return True


def _identity(device: BlockDevice) -> tuple[object, ...]:
    return device.path, device.size, device.model, device.serial, device.diskseq


def _open(path: Path, flags: int) -> int:
    def attempt() -> int:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC | flags)

    return _patiently(attempt, path)


def _lock(descriptor: int, path: Path) -> None:
    def attempt() -> int:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return 0

    _patiently(attempt, path)


def _patiently(attempt: Callable[[], int], path: Path) -> int:
    """Try for some seconds while others are busy with the disk."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return attempt()
        except OSError as error:
            if error.errno not in {errno.EBUSY, errno.EAGAIN}:
                raise
            if time.monotonic() > end:
                raise RefusedError(
                    f"{path} is in use: another program is working on it, or it is mounted",
                    hint="end that use and try again",
                ) from error
        time.sleep(0.1)


def _close(descriptor: int) -> None:
    if descriptor >= 0:
        os.close(descriptor)
