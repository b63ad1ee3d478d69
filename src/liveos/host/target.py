# SPDX-License-Identifier: Apache-2.0
"""Facts about a path that something is to be installed on. Looking changes nothing."""

import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from liveos.errors import LiveosError
from liveos.host import udisks
from liveos.host.block.device import BlockDevice, device_at
from liveos.host.block.machine import Machine, whole
from liveos.host.run import run
from liveos.host.tools import BLKID, SFDISK, Command
from liveos.host.use import use_of
from liveos.sizes import format_size

NEXT_DISK = b"\xcd\x18\xeb\xfe"
"""Boot code that tells a BIOS to try the next disk: INT 18h, and a loop if it comes back."""

UNFINISHED_NOTICE = NEXT_DISK + b"LIVEOS-UNFINISHED: the installation did not end"
"""Boot code of a disk that is being made."""

PART_SUFFIX = ".part"


class TargetKind(StrEnum):
    """What is at the path."""

    MISSING = "missing"
    FILE = "file"
    DEVICE = "device"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Content:
    """Something that lies on the target: a sentence, and where it begins, in bytes."""

    description: str
    offset: int


@dataclass(frozen=True, slots=True)
class Target:
    """What is at ``path``, which is absolute and has no symbolic links in it.

    ``in_use`` says by what; ``part`` is the kind of thing that lies at ``part_path``, where a new
    file would be made, and ``part_is_ours`` that an earlier run of ours left it there. ``free``
    is the space for ordinary users of the filesystem that holds a file. ``device`` is what is
    known of a block device; one that only udisks2 opens for us is written from a ``draft``, a file
    that is made before.
    """

    path: Path
    kind: TargetKind
    size: int | None = None
    sector_size: int = 512
    writable: bool = True
    is_source: bool = False
    parent_exists: bool = True
    in_use: str | None = None
    contents: tuple[Content, ...] = ()
    part: TargetKind = TargetKind.MISSING
    part_is_ours: bool = False
    free: int | None = field(default=None, compare=False)
    device: BlockDevice | None = None
    draft: Path | None = field(default=None, compare=False)

    @property
    def part_path(self) -> Path:
        """Where a new file is made before it gets its name."""
        return self.path.with_name(self.path.name + PART_SUFFIX)


def look_at(path: Path, source: Path) -> Target:
    """The facts about a target. ``source`` is what will be installed there."""
    path = Path(os.path.realpath(path))
    kind = _kind(path)
    if kind is TargetKind.MISSING:
        return _missing(path)
    if kind is TargetKind.OTHER:
        return Target(path, kind, writable=False)
    size = _size(path)  # None when it may not be read
    device = _device(path) if kind is TargetKind.DEVICE else None
    writable = _is_writable(path, kind)
    draft = None if device is None or writable else _draft(path)
    return Target(
        path=path,
        kind=kind,
        size=device.size if device is not None and size is None else size,
        sector_size=512 if device is None else device.sector_size,
        writable=writable or draft is not None,
        is_source=_is_same(path, source),
        in_use=use_of(path),
        contents=tuple(_contents(path)) if size else tuple(_as_udev_knows(device)),
        free=_free_for(path, kind, draft),
        part=_kind(_part(path)) if kind is TargetKind.FILE else TargetKind.MISSING,
        part_is_ours=_part_is_ours(_part(path)),
        device=device,
        draft=draft,
    )


def _draft(device: Path) -> Path | None:
    """A new name in /var/tmp, because /tmp is often in memory; None without udisks2."""
    if not udisks.is_available():
        return None
    directory = Path(os.environ.get("TMPDIR", "/var/tmp"))  # noqa: S108 - made with O_EXCL
    return directory / f"liveos-{device.name}-{secrets.token_hex(4)}.img"


def _free_for(path: Path, kind: TargetKind, draft: Path | None) -> int | None:
    if draft is not None:
        return _free(draft.parent)
    return _free(path.parent) if kind is TargetKind.FILE else None


def _device(path: Path) -> BlockDevice | None:
    machine = Machine()
    node = machine.at(path)
    return None if node is None else device_at(node, machine)


def _missing(path: Path) -> Target:
    parent = path.parent
    if not parent.is_dir():
        return Target(path, TargetKind.MISSING, parent_exists=False)
    return Target(
        path,
        TargetKind.MISSING,
        writable=os.access(parent, os.W_OK | os.X_OK),
        free=_free(parent),
        part=_kind(_part(path)),
        part_is_ours=_part_is_ours(_part(path)),
    )


def _part(path: Path) -> Path:
    return path.with_name(path.name + PART_SUFFIX)


def _kind(path: Path) -> TargetKind:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return TargetKind.MISSING
    except (OSError, ValueError):
        return TargetKind.OTHER
    if stat.S_ISREG(mode):
        return TargetKind.FILE
    return TargetKind.DEVICE if stat.S_ISBLK(mode) else TargetKind.OTHER


def _size(path: Path) -> int | None:
    """Bytes; of a device by seeking to its end. None when it may not be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)


def _free(directory: Path) -> int:
    space = os.statvfs(directory)
    return space.f_bavail * space.f_frsize


def _is_writable(path: Path, kind: TargetKind) -> bool:
    """Permission, and for a file also that of making another one beside it."""
    if not os.access(path, os.W_OK):
        return False
    return kind is TargetKind.DEVICE or os.access(path.parent, os.W_OK | os.X_OK)


def _is_same(path: Path, source: Path) -> bool:
    """The same file or disk; a partition is of its disk."""
    with suppress(OSError):
        return path.samefile(source) or _disk(path) == _disk(source) is not None
    return False


def _disk(path: Path) -> Path | None:
    """The disk that a block device is, or is a part of."""
    if not stat.S_ISBLK(path.stat().st_mode):
        return None
    node = Machine().at(path)
    return None if node is None else whole(node)


def _part_is_ours(path: Path) -> bool:
    """An empty file, or one whose boot code is our notice."""
    if _kind(path) is not TargetKind.FILE:
        return False
    try:
        with path.open("rb") as file:
            start = file.read(len(UNFINISHED_NOTICE))
    except OSError:
        return False
    return start in {b"", UNFINISHED_NOTICE}


def _contents(path: Path) -> Iterator[Content]:
    """What blkid finds on the whole, and in each partition of the table that sfdisk reads."""
    whole = _probe(path, 0, None)
    if "TYPE" in whole:
        yield Content(f"a filesystem, {_words(whole)}", 0)
    for number, part in enumerate(_partitions(path), 1):
        found = _probe(path, part.offset, part.size)
        yield Content(_partition(number, part.name, part.size, _words(found)), part.offset)


def _as_udev_knows(device: BlockDevice | None) -> Iterator[Content]:
    """The same of a device that may not be read."""
    if device is not None and device.filesystem:
        yield Content(f"a filesystem, {_kind_and_label(device.filesystem, device.label)}", 0)
    for number, part in enumerate(() if device is None else device.parts, 1):
        words = _kind_and_label(part.filesystem, part.label)
        yield Content(_partition(number, part.name, part.size, words), part.offset)


def _partition(number: int, name: str | None, size: int, words: str) -> str:
    quoted = f' "{name}"' if name else ""
    return f"partition {number}{quoted}, {format_size(size)}: {words}"


@dataclass(frozen=True, slots=True)
class _Range:
    name: str
    offset: int
    size: int


def _partitions(path: Path) -> list[_Range]:
    try:
        done = run(Command(SFDISK, ("--json", str(path)), accepted=frozenset({0, 1})))
        table = json.loads(done.text)["partitiontable"] if done.status == 0 else {}
    except (LiveosError, ValueError, KeyError):
        return []
    unit = int(table.get("sectorsize", 512))
    return [
        _Range(str(part.get("name", "")), part["start"] * unit, part["size"] * unit)
        for part in table.get("partitions", ())
    ]


def _probe(path: Path, offset: int, size: int | None) -> dict[str, str]:
    """What blkid's low-level probing says; nothing when it is missing or finds nothing."""
    window = ("-O", str(offset), *(("-S", str(size)) if size else ()))
    command = Command(
        BLKID, ("-p", "-o", "export", *window, str(path)), accepted=frozenset({0, 2, 8})
    )
    try:
        text = run(command).text
    except LiveosError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, _, value in pairs}


def _words(found: dict[str, str]) -> str:
    return _kind_and_label(found.get("TYPE"), found.get("LABEL"))


def _kind_and_label(kind: str | None, label: str | None) -> str:
    return (kind or "nothing known") + (f', label "{label}"' if kind and label else "")
