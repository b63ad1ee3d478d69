# SPDX-License-Identifier: Apache-2.0
"""What a file or block device is used by at the moment, as sysfs and procfs tell."""

import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

from liveos.host.block.machine import Machine
from liveos.host.block.uses import uses_of
from liveos.host.mounts import unescaped


def use_of(path: Path) -> str | None:
    """What a regular file or block device is used by now, as a sentence; None when by nothing."""
    if stat.S_ISBLK(path.stat().st_mode):
        return next(_device_uses(path), None)
    return next(chain(_loop_devices_of(path), _swap_on(path)), None)


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


def _loop_devices_of(path: Path) -> Iterator[str]:
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            name = backing.read_text().strip()
            if name == str(path) or path.samefile(name):
                yield f"it is attached to /dev/{backing.parent.parent.name}"


def _swap_on(path: Path) -> Iterator[str]:
    for name in Machine().swaps():
        with suppress(OSError):
            if path.samefile(unescaped(name)):
                yield "it is swap space in use"


def _device_uses(device: Path) -> Iterator[str]:
    machine = Machine()
    node = machine.at(device)
    if node is not None:
        yield from (use.sentence for use in uses_of(node, machine))
