# SPDX-License-Identifier: Apache-2.0
"""Where the kernel and udev describe block devices: below one root, which tests can forge.

A device or partition is a `Path`, its directory below ``/sys/devices`` without links in it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from liveos.host.mounts import Mount, parse_mounts

_DEV = "/dev/"


@dataclass(frozen=True, slots=True)
class Machine:
    """The files below ``root``: ``sys``, ``proc``, ``run/udev`` and ``dev``."""

    root: Path = Path("/")

    def disks(self) -> tuple[Path, ...]:
        """Every device that is not a partition, by name."""
        entries = sorted((self.root / "sys/block").glob("*"), key=_natural)
        return tuple(map(_real, entries))

    def node(self, number: str) -> Path | None:
        """The device with a number as ``8:17``."""
        return _existing(self.root / "sys/dev/block" / number)

    def at(self, path: Path) -> Path | None:
        """The device whose special file is at ``path`` of this very system."""
        number = path.stat().st_rdev
        return self.node(f"{os.major(number)}:{os.minor(number)}")

    def named(self, path: str) -> Path | None:
        """The device that a path such as ``/dev/mapper/root`` names."""
        if not path.startswith(_DEV):
            return None
        name = path.removeprefix(_DEV)
        for each in (self.root / "sys/block").glob("dm-*/dm/name"):
            if name.removeprefix("mapper/") == text(each):
                return _real(each.parent.parent)
        real = _real(self.root / path.lstrip("/")).name
        return next(filter(None, map(self._found, (name.replace("/", "!"), real))), None)

    def _found(self, name: str) -> Path | None:
        if (disk := _existing(self.root / "sys/block" / name)) is not None:
            return disk
        parts = (self.root / "sys/block").glob(f"*/{name}/partition")
        return next((_real(part.parent) for part in parts), None)

    def mounts(self) -> tuple[Mount, ...]:
        return parse_mounts(text(self.root / "proc/self/mountinfo") or "")

    def swaps(self) -> tuple[str, ...]:
        """Paths of devices and files that hold swap space in use (proc(5))."""
        lines = (text(self.root / "proc/swaps") or "").splitlines()[1:]
        return tuple(line.split()[0] for line in lines if line.strip())

    def btrfs(self) -> Iterator[tuple[Path, ...]]:
        """The devices of each mounted Btrfs, which mountinfo names only one of."""
        for devices in sorted((self.root / "sys/fs/btrfs").glob("*/devices")):
            yield tuple(_real(each) for each in sorted(devices.iterdir()))

    def udev(self, device: Path) -> dict[str, str]:
        """What udev has noted of a device (the ``E:`` lines of its database)."""
        notes = text(self.root / "run/udev/data" / f"b{text(device / 'dev')}") or ""
        pairs = (line[2:].partition("=") for line in notes.splitlines() if line[:2] == "E:")
        return {name: value for name, _, value in pairs}


def text(path: Path) -> str | None:
    """A small file's text without blanks around it; None when it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def number(path: Path) -> int | None:
    """A small file's decimal number; None when there is none."""
    words = text(path) or ""
    return int(words) if words.isascii() and words.isdigit() else None


def is_partition(device: Path) -> bool:
    return (device / "partition").exists()


def whole(device: Path) -> Path:
    """The disk that a partition belongs to; of a disk, itself."""
    return device.parent if is_partition(device) else device


def partitions(disk: Path) -> tuple[Path, ...]:
    found = (entry.parent for entry in disk.glob("*/partition"))
    return tuple(sorted(found, key=lambda part: (number(part / "partition") or 0, part.name)))


def dev_path(device: Path) -> str:
    """The name below /dev; sysfs writes ``!`` for the ``/`` in it."""
    return _DEV + device.name.replace("!", "/")


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _existing(path: Path) -> Path | None:
    return _real(path) if path.exists() else None


def _natural(path: Path) -> tuple[int, str]:
    """``sdb`` before ``sdaa``."""
    return len(path.name), path.name
