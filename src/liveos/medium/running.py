# SPDX-License-Identifier: Apache-2.0
"""The running live system: which stick it was booted from, and which image of that.

Names and places are those that dracut leaves (boot-contract.md 1.3 and 2.0). The directory of the
image is that of the files behind the loop devices; where there are none, as when the image was
copied to memory, it is what the kernel line says.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from liveos.errors import RefusedError, UnsupportedError
from liveos.host.block.machine import Machine
from liveos.host.block.uses import devices_of
from liveos.host.mounts import Mount, mount_of, parse_mounts
from liveos.medium.installed import DEFAULT_DIRECTORY
from liveos.medium.stores import HOME_NAME

LIVE = "live"
"""How a person names the running system."""

LIVE_MOUNT = "/run/initramfs/live"
_DIRECTORY_WORDS = ("rd.live.dir=", "live_dir=")
_OVERLAY_PREFIX = "overlay-"
_NO_DEVICE = "0:"  # the major number of tmpfs and its like


@dataclass(frozen=True, slots=True)
class Running:
    """What the kernel says of the medium that this system was started from.

    ``mount`` is where its filesystem is mounted, ``directory`` the image's directory in there.
    ``device`` is the kernel's name of the device with that filesystem, ``disk`` of the disk around
    it. To keep the overlay still, ``overlay_mount`` is frozen; to keep the home still,
    ``home_mount``: None where it is not in use.
    """

    mount: Path
    directory: str
    filesystem: str
    device: str
    disk: str
    partition: int | None
    overlay_mount: Path | None
    home_mount: Path | None

    @property
    def spec(self) -> str:
        """How other operations name the image."""
        return f"{self.mount}:{self.directory}"


def is_live(words: str | Path) -> bool:
    """Whether a person means the running system, and no file of that name."""
    return str(words) == LIVE and not Path(LIVE).exists()


def find_running(system: Path = Path("/")) -> Running:
    """The medium and the image of this system; ``system`` stands in for / in tests.

    :raises UnsupportedError: this is no live system, or its medium is not there any more.
    """
    mounts = parse_mounts(_text(system / "proc/self/mountinfo") or "")
    live = [mount for mount in mounts if mount.point == LIVE_MOUNT][-1:]
    if not live:
        raise UnsupportedError(
            f"this is no live system that still has its medium: nothing is mounted at {LIVE_MOUNT}",
            hint="name the ISO, the stick, or one of its images as STICK:NAME",
        )
    devices = devices_of(live[0], Machine(system))
    device = devices[0] if devices else system / "sys/dev/block" / live[0].device
    files = dict(_loop_files(system))
    directory = _directory(system, files)
    number = _text(device / "partition")
    name = Path(os.path.realpath(device)).name
    return Running(
        mount=system / LIVE_MOUNT.lstrip("/"),
        directory=directory,
        filesystem=live[0].filesystem,
        device=name,
        disk=Path(os.path.realpath(device)).parent.name if number else name,
        partition=int(number) if number else None,
        overlay_mount=_overlay_mount(system, mounts),
        home_mount=_home_mount(system, mounts, files, directory),
    )


def require_other_disk(words: str, system: Path = Path("/")) -> None:
    """:raises RefusedError: a target is called `LIVE`: the disk that this system runs from."""
    if is_live(words):
        running = find_running(system)
        raise RefusedError(
            f"/dev/{running.disk} is the disk that this system runs from: nothing of it may be"
            " overwritten",
            hint="liveos install SOURCE live, without other targets, puts a further image on it",
        )


def require_other(running: Running, name: str) -> None:
    """:raises RefusedError: an image of this name would take the place of the running one."""
    if running.directory.casefold() == name.strip("/").casefold():
        raise RefusedError(
            f"{name} is the image that this system runs from: its files are in use",
            hint="choose another name, or start from another medium",
        )


def _directory(system: Path, files: dict[str, str]) -> str:
    """The directory of the image's root; of its overlay, if the root is in memory."""
    found = [PurePosixPath(file) for file in files]
    roots = [file for file in found if not _is_memory(file.name)]
    for file in (*roots, *found):
        if file.is_relative_to(LIVE_MOUNT):
            return str(file.parent.relative_to(LIVE_MOUNT)).strip(".")
    words = (_text(system / "proc/cmdline") or "").split()
    named = [w.partition("=")[2] for w in words if w.startswith(_DIRECTORY_WORDS)]
    return (named or [DEFAULT_DIRECTORY])[-1].strip("/")


def _is_memory(name: str) -> bool:
    return name.startswith(_OVERLAY_PREFIX) or name in {HOME_NAME, "swap.img"}


def _loop_files(system: Path) -> Iterator[tuple[str, str]]:
    """(file, device number) of the loop devices; losetup's names are those of then."""
    for backing in sorted((system / "sys/block").glob("loop*/loop/backing_file")):
        file, number = _text(backing), _text(backing.parent.parent / "dev")
        if file and number:
            yield file, number


def _overlay_mount(system: Path, mounts: tuple[Mount, ...]) -> Path | None:
    """Of a snapshot, the root itself; of OverlayFS, the filesystem with the upper directory."""
    root = [mount for mount in mounts if mount.point == "/"][-1:]
    if not root:
        return None
    if root[0].filesystem != "overlay":
        return system
    upper = root[0].option("upperdir")
    if upper is None:
        return None
    link = system / upper.lstrip("/")
    place = str(Path(upper).parent / link.readlink()) if link.is_symlink() else upper
    around = mount_of(place, mounts)
    if around is None or around.device.startswith(_NO_DEVICE):
        # What dracut had mounted for it has no place any more: it is beside the image.
        return system / LIVE_MOUNT.lstrip("/")
    return system / around.point.lstrip("/")


def _home_mount(
    system: Path, mounts: tuple[Mount, ...], files: dict[str, str], directory: str
) -> Path | None:
    """Where the home is mounted: its loop device, or the encryption over that."""
    number = files.get(str(PurePosixPath(LIVE_MOUNT, directory, HOME_NAME)))
    if number is None:
        return None
    numbers = {number, *_holders(system / "sys/dev/block" / number)}
    found = [mount.point for mount in mounts if mount.device in numbers]
    return system / found[0].lstrip("/") if found else None


def _holders(device: Path) -> Iterator[str]:
    for holder in sorted((device / "holders").glob("*")):
        number = _text(holder / "dev")
        if number:
            yield number


def _text(path: Path) -> str | None:
    with suppress(OSError):
        return path.read_text(errors="replace").strip()
    return None
