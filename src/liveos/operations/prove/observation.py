# SPDX-License-Identifier: Apache-2.0
"""What a running live system says about its own storage: the questions, and their answers read.

Only ``/proc`` and ``/sys`` are asked, which every live image has, and ``dmsetup`` where it is.
"""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from liveos.operations.guests.shell import Answer

_CMDLINE = "cat /proc/cmdline"
_KERNEL = "uname -r"
_MOUNTS = "cat /proc/self/mountinfo"
_LOOPS = (
    "for file in /sys/block/loop*/loop/backing_file; do"
    ' [ -e "$file" ] && echo "$file $(cat "$file")"; done; true'
)
_MAPPED = (
    "for dir in /sys/block/dm-*; do [ -e $dir/dm/name ] &&"
    " echo ${dir##*/} $(cat $dir/dm/name) $(ls $dir/slaves); done; true"
)
_STATUS = "dmsetup status live-rw 2>/dev/null || true"
_UPPER = "readlink -f /run/overlayfs || true"
_SWAPS = "tail -n +2 /proc/swaps"
_PARTITIONS = "grep -H . /sys/class/block/*/partition || true"
_USERS = "cat /etc/passwd"
_HOMES = "stat -c '%u %n' /home/* 2>/dev/null || true"
_STRAY = "readlink /overlay || true"


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of mountinfo (proc(5)): what is mounted where."""

    device: str
    target: str
    filesystem: str
    source: str
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class MappedDevice:
    """A device-mapper device, and the kernel's names of the devices below it."""

    node: str
    name: str
    below: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class User:
    """A user whose directory is in /home: ``owner`` has it, None where there is no directory."""

    name: str
    uid: int
    owner: int | None


@dataclass(frozen=True, slots=True)
class Observation:
    """A running system's storage.

    ``loops`` maps a loop device's kernel name to the file behind it, as the kernel spells it;
    ``partitions`` those of partitions to their numbers. ``upper`` is where ``/run/overlayfs``
    leads. ``snapshot_status`` is what ``dmsetup status`` prints after the target's name.
    ``asked_overlay`` is what lies where the boot line says that the overlay is: ``file``,
    ``directory``, ``nothing``, or None if the line does not say. ``stray`` is where a link
    ``/overlay`` leads that no system has of its own.
    """

    cmdline: str
    kernel: str
    mounts: tuple[Mount, ...]
    loops: dict[str, str]
    mapped: tuple[MappedDevice, ...]
    snapshot_status: str | None = None
    upper: str | None = None
    swaps: tuple[str, ...] = ()
    asked_overlay: str | None = None
    partitions: dict[str, int] = field(default_factory=dict)
    users: tuple[User, ...] = ()
    stray: str | None = None

    def mount_at(self, target: str) -> Mount | None:
        """The mount on a directory; the topmost one, when there are several."""
        return next((mount for mount in reversed(self.mounts) if mount.target == target), None)

    def mount_of(self, path: str) -> Mount | None:
        """The mount that a path lies on."""
        above = [mount for mount in self.mounts if _is_below(path, mount.target)]
        return max(reversed(above), key=lambda mount: len(mount.target), default=None)

    def word(self, name: str) -> str | None:
        """The last value of a word of the kernel's command line."""
        values = re.findall(rf"(?:^|\s){re.escape(name)}=(\S*)", self.cmdline)
        return values[-1] if values else None

    def has_word(self, name: str) -> bool:
        """Whether an option is on the kernel's command line, whatever its value is."""
        return re.search(rf"(?:^|\s){re.escape(name)}(?=[=\s]|$)", self.cmdline) is not None

    def file_behind(self, source: str) -> str | None:
        """The file that a loop device reads, with or without a mapping on top; None for others."""
        return self.loops.get(self.device_behind(source))

    def device_behind(self, source: str) -> str:
        """The kernel's name of a device, or of the one below where it is a mapping."""
        name = source.rpartition("/")[2]
        below = (device.below for device in self.mapped if name in {device.node, device.name})
        return next((each[0] for each in below if each), name)


def observe(ask: Callable[[str], Answer]) -> Observation:
    """Ask a running system about its storage."""
    cmdline = ask(_CMDLINE).text.strip()
    upper = ask(_UPPER).text.strip()
    return Observation(
        cmdline=cmdline,
        kernel=ask(_KERNEL).text.strip(),
        mounts=parse_mounts(ask(_MOUNTS).text),
        loops=parse_loops(ask(_LOOPS).text),
        mapped=parse_mapped(ask(_MAPPED).text),
        snapshot_status=parse_status(ask(_STATUS).text),
        upper=upper or None,
        swaps=tuple(line.split()[0] for line in ask(_SWAPS).text.splitlines() if line.strip()),
        asked_overlay=_look_for_overlay(cmdline, ask),
        partitions=parse_partitions(ask(_PARTITIONS).text),
        users=parse_users(ask(_USERS).text, ask(_HOMES).text),
        stray=ask(_STRAY).text.strip() or None,
    )


def overlay_path(cmdline: str) -> str | None:
    """The path of the overlay that a boot line names explicitly (boot-contract.md 1.3).

    A path that is not the default one comes after the last colon of ``rd.live.overlay=DEV:PATH``.
    """
    values = re.findall(r"(?:^|\s)(?:rd\.live\.overlay|rd\.overlay|overlay)=(\S+)", cmdline)
    paths = [value.rpartition(":")[2] for value in values if ":" in value]
    return paths[-1] if paths and paths[-1] != "auto" else None


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """The lines of ``/proc/self/mountinfo``."""
    return tuple(_mount(line) for line in text.splitlines() if " - " in line)


def parse_loops(text: str) -> dict[str, str]:
    lines = (line.split(" ", 1) for line in text.splitlines() if " " in line)
    return {place.split("/")[3]: file for place, file in lines if place.count("/") > 3}


def parse_mapped(text: str) -> tuple[MappedDevice, ...]:
    words = (line.split() for line in text.splitlines())
    return tuple(MappedDevice(w[0], w[1], tuple(w[2:])) for w in words if len(w) >= 2)


def parse_partitions(text: str) -> dict[str, int]:
    """``/sys/class/block/NODE/partition:NUMBER`` -> NODE and NUMBER."""
    found = re.findall(r"(?m)^/sys/class/block/([^/]+)/partition:(\d+)$", text)
    return {node: int(number) for node, number in found}


def parse_users(passwd: str, owners: str) -> tuple[User, ...]:
    """The users of passwd(5) that live right below /home, with the owners of what is there."""
    words = (line.split(" ", 1) for line in owners.splitlines() if " " in line)
    owner = {path: int(uid) for uid, path in words if uid.isdecimal()}
    entries = (line.split(":") for line in passwd.splitlines())
    return tuple(
        User(entry[0], int(entry[2]), owner.get(entry[5]))
        for entry in entries
        if len(entry) >= 6 and entry[2].isdecimal() and re.fullmatch(r"/home/[^/]+", entry[5])
    )


def parse_status(text: str) -> str | None:
    """``0 SIZE snapshot STATUS`` -> STATUS; None when live-rw is no snapshot."""
    match = re.search(r"^0 \d+ snapshot (.+)$", text.strip(), re.MULTILINE)
    return match[1].strip() if match else None


def _mount(line: str) -> Mount:
    before, after = line.split(" - ", 1)
    words, (filesystem, source, *rest) = before.split(), after.split()
    pairs = (option.partition("=") for option in ",".join(rest).split(","))
    return Mount(
        device=words[2],
        target=_unescape(words[4]),
        filesystem=filesystem,
        source=_unescape(source),
        options={name: value for name, _, value in pairs},
    )


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _look_for_overlay(cmdline: str, ask: Callable[[str], Answer]) -> str | None:
    path = overlay_path(cmdline)
    if path is None:
        return None
    quoted = shlex.quote(f"/run/initramfs/live/{path}")
    kinds = '[ -f "$o" ] && echo file || { [ -d "$o" ] && echo directory || echo nothing; }'
    return ask(f"o={quoted}; {kinds}").text.strip()
