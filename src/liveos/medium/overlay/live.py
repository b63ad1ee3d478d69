# SPDX-License-Identifier: Apache-2.0
"""The overlay under the running system, found from what the kernel says of the root.

Names and places are those that dracut leaves (boot-contract.md 1.3 and 2.0): the device-mapper
device ``live-rw``, the OverlayFS mount ``LiveOS_rootfs`` over ``/run/rootfsbase``.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from liveos.errors import NotPermittedError, UnsupportedError
from liveos.formats.binary import FileSource
from liveos.formats.exception_store import SECTOR, Usage
from liveos.host.disk import opened
from liveos.host.mounts import Mount, mount_of, parse_mounts
from liveos.host.run import find, run
from liveos.host.tools import DMSETUP, Command
from liveos.host.transfer import forget_cached
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.check import StoreState
from liveos.medium.overlay.forecast import Ending, Forecast
from liveos.medium.overlay.live_words import remarks
from liveos.medium.overlay.status import OverlayStatus, of_store
from liveos.report import Finding, Severity

LIVE = "live"
"""How a person names the running system."""

_SNAPSHOT = "live-rw"
_OVERLAYFS = "LiveOS_rootfs"
_LOWER = "/run/rootfsbase"
# Where dracut mounts what may hold the overlay; a path of the initramfs begins there.
_MOUNTS = ("", "/run/initramfs/live", "/run/initramfs/overlayfs", "/run/initramfs/isoscan")
_IN_MEMORY = frozenset({"tmpfs", "ramfs", "rootfs"})
_TEMPORARY = Finding(
    "temporary",
    Severity.WARNING,
    "this overlay is in memory only: every change is lost when the system ends",
)
_FROM_STORE = Finding(
    "from-store",
    Severity.INFO,
    "these numbers are what the store tells; the kernel's own may be ahead of it",
    f"run it as root, with {DMSETUP.name} installed, to ask the kernel",
)


@dataclass(frozen=True, slots=True)
class SnapshotTable:
    """What ``dmsetup table`` says of a snapshot: sectors, and the devices as major:minor."""

    sectors: int
    origin: str
    store: str
    can_overflow: bool


def parse_table(text: str) -> SnapshotTable | None:
    """The table line of a snapshot device; None for another target."""
    words = text.split()
    if len(words) < 7 or words[2] != "snapshot":
        return None
    return SnapshotTable(int(words[1]), words[3], words[4], "O" in words[5].upper())


def with_kernels_word(status: OverlayStatus, line: str) -> OverlayStatus:
    """The status of a store with what ``dmsetup status`` says, which the store cannot tell.

    ``Overflow`` is in the kernel's memory alone, and its numbers run ahead of the list.
    """
    words = line.split(maxsplit=3)
    word = words[3].strip() if len(words) == 4 else line.strip()
    numbers = re.fullmatch(r"(\d+)/(\d+) (\d+)", word)
    if numbers:
        return replace(status, status_line=word, usage=Usage(*map(int, numbers.groups())))
    if word == "Overflow":
        message = "it was full, and every write fails until the system is started again"
        finding = Finding("overflow", Severity.FATAL, message, "start again; enlarge or compact it")
        return replace(
            status,
            state=StoreState.FULL,
            status_line=word,
            free_size=0,
            free_chunks=0,
            forecast=Forecast(Ending.OVERFLOW, 0),
            warnings=(finding,),
        )
    return replace(status, state=StoreState.INVALID, status_line=word, free_size=0, free_chunks=0)


def live_status(system: Path = Path("/")) -> OverlayStatus:
    """The status of the running system's overlay; ``system`` stands in for / in tests.

    :raises UnsupportedError: it is no live system, or one without an overlay.
    :raises NotPermittedError: only root may read it.
    """
    mounts = parse_mounts((system / "proc/self/mountinfo").read_text(errors="replace"))
    root = [mount for mount in mounts if mount.point == "/"][-1:]
    for mount in root:
        if mount.filesystem == "overlay" and _is_live_overlay(mount):
            return _of_directory(system, mount, mounts)
        device = system / "sys/dev/block" / mount.device
        if _text(device / "dm/name") == _SNAPSHOT:
            return _of_snapshot(system, device)
    what = f"{root[0].filesystem} on {root[0].source}" if root else "not known"
    raise UnsupportedError(
        f"this is no live system with an overlay: its root is {what}",
        hint="name a stick, one of its images as STICK:NAME, or a store",
    )


def _is_live_overlay(mount: Mount) -> bool:
    """A container's root is an overlay too."""
    lower = (mount.option("lowerdir") or "").split(":")
    return mount.source == _OVERLAYFS or _LOWER in lower


def _of_directory(system: Path, root: Mount, mounts: tuple[Mount, ...]) -> OverlayStatus:
    named = root.option("upperdir")
    if named is None:
        raise UnsupportedError("the live system's root is an overlay that takes no writes")
    upper = _followed(system, named)
    try:
        space = os.statvfs(system / upper.lstrip("/"))
    except OSError as error:
        raise UnsupportedError(f"the upper directory {upper} is out of reach: {error}") from error
    around = mount_of(upper, mounts)
    assert around is not None  # the root itself is one
    free = space.f_bavail * space.f_frsize
    in_image = around.source.startswith("/dev/loop")
    return OverlayStatus(
        PersistenceKind.IMAGE if in_image else PersistenceKind.DIRECTORY,
        upper,
        StoreState.FULL if not free else StoreState.VALID,
        size=space.f_blocks * space.f_frsize,
        free_size=free,
        filesystem=around.filesystem,
        warnings=_temporary(system) if around.filesystem in _IN_MEMORY else (),
    )


def _temporary(system: Path) -> tuple[Finding, ...]:
    words = (_text(system / "proc/cmdline") or "").split()
    return (_TEMPORARY, *remarks(tuple(words)))


def _followed(system: Path, path: str) -> str:
    """A path with its links followed, as the system sees it: /run/overlayfs is a link."""
    link = system / path.lstrip("/")
    return str(Path(path).parent / link.readlink()) if link.is_symlink() else path


def _of_snapshot(system: Path, device: Path) -> OverlayStatus:
    table, line = _asked(system)
    loop = system / "sys/dev/block" / table.store if table else _writable_loop(device)
    backing = _text(loop / "loop/backing_file") or ""
    with _opened(system, loop, backing) as source:
        size = table.sectors if table else int(_text(device / "size") or 0)
        status = of_store(source, f"{LIVE}:{backing or loop.name}", LIVE, size * SECTOR)
    if line:
        status = with_kernels_word(status, line)
    elif system == Path("/"):
        status = replace(status, warnings=(*status.warnings, _FROM_STORE))
    if backing.endswith(" (deleted)"):  # dracut removes the file of a temporary overlay
        status = replace(status, warnings=(*status.warnings, *_temporary(system)))
    return status


def _asked(system: Path) -> tuple[SnapshotTable | None, str | None]:
    """What device-mapper says: to root, and of this machine only."""
    if os.geteuid() != 0 or system != Path("/") or find(DMSETUP) is None:
        return None, None
    text = run(Command(DMSETUP, ("table", _SNAPSHOT))).text
    table = parse_table(text)
    if table is None:
        raise _no_snapshot(text)
    return table, run(Command(DMSETUP, ("status", _SNAPSHOT))).text


def _no_snapshot(table: str) -> UnsupportedError:
    """What dracut makes of ``live-rw`` besides a snapshot (boot-contract.md 2 (d), (f))."""
    if table.split()[2:3] == ["thin"]:
        return UnsupportedError(
            "the live system keeps its changes in a thin pool in memory, which ends with it",
            hint="leave rd.live.overlay.thin out of the kernel line to have an overlay",
        )
    return UnsupportedError("the live system writes into its image itself: it has no overlay")


def _writable_loop(device: Path) -> Path:
    """The store is the one of the two devices below that takes writes."""
    for slave in sorted((device / "slaves").glob("*")):
        if _text(slave / "ro") == "0":
            return slave
    raise UnsupportedError("the live system's root has no overlay that takes writes")


def _opened(system: Path, loop: Path, backing: str) -> FileSource:
    """The loop device, which only root may read; or the file behind it, where one may."""
    for path in _places(system, loop, backing):
        try:
            source = FileSource(path)
        except OSError:
            continue
        # device-mapper writes past the page cache of the loop device: what that has may be old.
        with opened(path, os.O_RDONLY) as descriptor:
            forget_cached(descriptor)
        return source
    raise NotPermittedError(
        f"the store {backing or loop.name} of the running system cannot be read",
        hint="run it as root",
    )


def _places(system: Path, loop: Path, backing: str) -> Iterator[Path]:
    yield system / "dev" / Path(os.path.realpath(loop)).name
    for mount in _MOUNTS:
        yield system / f"{mount}{backing}".lstrip("/")


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None
