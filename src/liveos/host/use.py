# SPDX-License-Identifier: Apache-2.0
"""What a file or block device is used by at the moment, as sysfs and procfs tell."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def use_of(path: Path) -> str | None:
    """What a regular file or block device is used by now, as a sentence; None when by nothing."""
    if stat.S_ISBLK(path.stat().st_mode):
        return next(_device_uses(path), None)
    return next(_loop_devices_of(path), None)


def use_of_upper(directory: Path) -> str | None:
    """What a directory is the upper one of (proc(5), mountinfo); None when of nothing."""
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
            fields, _, rest = line.partition(" - ")
            for option in rest.partition(",")[2].split(","):
                name, _, path = option.partition("=")
                with suppress(OSError):
                    if name == "upperdir" and directory.samefile(path):
                        return f"it is the upper directory of {fields.split()[4]}"
    return None


def sysfs_directory(device: Path) -> Path:
    """Where the kernel describes a block device."""
    number = device.stat().st_rdev
    return Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")


def _loop_devices_of(path: Path) -> Iterator[str]:
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            name = backing.read_text().strip()
            if name == str(path) or path.samefile(name):
                yield f"it is attached to /dev/{backing.parent.parent.name}"


def _device_uses(device: Path) -> Iterator[str]:
    """What keeps a device, or a partition of it, from being overwritten."""
    directory = sysfs_directory(device)
    parts = [directory, *(entry.parent for entry in directory.glob("*/partition"))]
    mounts = dict(_mounts())
    swaps = _swaps()
    for part in parts:
        name = Path(os.path.realpath(part)).name
        with suppress(OSError):
            number = (part / "dev").read_text().strip()
            if number in mounts:
                yield f"/dev/{name} is mounted on {mounts[number]}"
        if f"/dev/{name}" in swaps:
            yield f"/dev/{name} is swap space in use"
        for holder in sorted((part / "holders").glob("*")):
            yield f"/dev/{name} is used by /dev/{holder.name}"


def _mounts() -> Iterator[tuple[str, str]]:
    """(major:minor, mount point) of everything mounted (proc(5), mountinfo)."""
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
            fields = line.split()
            yield fields[2], fields[4]


def _swaps() -> frozenset[str]:
    try:
        lines = Path("/proc/swaps").read_text(errors="replace").splitlines()[1:]
    except OSError:
        return frozenset()
    return frozenset(line.split()[0] for line in lines if line)
