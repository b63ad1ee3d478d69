# SPDX-License-Identifier: Apache-2.0
"""What may be done to a stick that is mounted, and what has to be said of it.

Files of LIVE are written through the mounted directory; the ESP is not mounted, and is changed as
on any other stick. Nothing that is in use is touched, and of the stick that this system runs from
nothing of the image that runs.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from liveos.errors import NotPermittedError, RefusedError, UnsupportedError
from liveos.host.folders.folder import HostFolder
from liveos.host.tools import MOUNT, Tool
from liveos.host.use import use_of, use_of_upper
from liveos.medium.home.updates import find_updates
from liveos.medium.model import Medium
from liveos.medium.record import RECORD_NAME
from liveos.medium.running import require_other
from liveos.medium.stick import OpenStick
from liveos.operations.install.stick import InstallRequest
from liveos.operations.menus.text import image_directory
from liveos.operations.steps.images import AddRecord, MakeWritable
from liveos.operations.steps.stick import Place
from liveos.sizes import format_size

_ELSEWHERE = "start from another medium, and name this stick there"


def check_change(stick: OpenStick, name: str) -> None:
    """:raises LiveosError: an image that must not, or cannot, be made, changed or removed."""
    if stick.mounted is None:
        return
    if stick.running is not None:
        require_other(stick.running, name)
    _require_idle(stick, stick.mounted.mount / name)
    _require_own_updates(stick)
    check_permission(stick)


def check_own(stick: OpenStick, name: str) -> None:
    """:raises RefusedError: an image's directory is a link, which may lead anywhere on this system.

    In an unmounted filesystem no link leads out.
    """
    if stick.mounted is not None and (stick.mounted.mount / name).is_symlink():
        raise RefusedError(
            f"{stick.mounted.mount / name} is a link, and nothing is written through it",
            hint=f"liveos remove {stick.path}:{name} removes the link",
        )


def check_addition(request: InstallRequest, source: Medium, stick: OpenStick) -> None:
    """:raises LiveosError: an image that must not, or cannot, come to a mounted stick."""
    check_change(stick, request.name)
    if stick.mounted is None:
        return
    if _is_same(source.path, stick.mounted.mount):
        which = "the image that this system runs from" if stick.running else "that image"
        raise RefusedError(f"{which} is on this stick already", hint="name another one")
    if request.home is not None and request.home.partition:
        raise UnsupportedError(
            f"the disk of {stick.path} gets no further partition while it is in use",
            hint="make the home a file: leave out --home-partition",
        )
    if request.swap is not None and stick.filesystem == "f2fs":
        raise UnsupportedError(
            "no swap file can be made on f2fs: swap there needs a file that stays where it is",
            hint="leave out --swap",
        )


def check_removal(stick: OpenStick, name: str, *, partition: bool) -> None:
    """:raises LiveosError: an image of a mounted stick that must not, or cannot, be removed.

    ``partition`` tells that it has a partition of its own.
    """
    check_change(stick, name)
    if stick.mounted is None or not partition:
        return
    disk, hint = stick.mounted.disk, _ELSEWHERE
    if stick.running is None and stick.notes_on_esp:
        hint = "liveos install makes the whole stick anew"
    elif stick.running is None:
        hint = f"unmount it, and name the disk: liveos remove {disk}:{name}"
    raise UnsupportedError(
        f"{name} has a partition for its home, and no partition of {disk} is changed while it is"
        " in use",
        hint=hint,
    )


def check_permission(stick: OpenStick) -> None:
    """:raises NotPermittedError: somebody who may not write to LIVE or ESP, or mount LIVE so."""
    if stick.mounted is None:
        return
    mount = stick.mounted.mount
    may = os.geteuid() == 0 if stick.mounted.read_only else os.access(mount, os.W_OK)
    if not may:
        raise NotPermittedError(f"{mount} may not be written", hint="run it as root")
    check_esp(stick)


def check_esp(stick: OpenStick) -> None:
    """:raises NotPermittedError: somebody who may not write to the ESP beside a mounted LIVE."""
    if stick.mounted is not None and not os.access(stick.device, os.W_OK):
        raise NotPermittedError(f"{stick.device} may not be written", hint="run it as root")


def opening(stick: OpenStick) -> Iterator[MakeWritable]:
    """What has to come before the first write to LIVE."""
    if stick.mounted is not None and stick.mounted.read_only:
        yield MakeWritable(stick.mounted.mount)


def tools(stick: OpenStick) -> tuple[Tool, ...]:
    return (MOUNT,) if any(opening(stick)) else ()


def record_on_esp(stick: OpenStick, name: str, record: dict[str, object]) -> Iterator[AddRecord]:
    """The record once more, where nobody reads the one beside the image without mounting it."""
    if stick.notes_on_esp:
        place = Place(stick.esp_volume, f"{image_directory(name)}/{RECORD_NAME}")
        yield AddRecord(place, record)


def running_notes(stick: OpenStick, left: int) -> Iterator[str]:
    """``left`` are the bytes that will be free on LIVE."""
    running = stick.running
    if running is None:
        return
    yield f"this system runs from that stick; {running.directory}, which it runs, stays as it is"
    if running.overlay_mount == running.mount:
        yield f"its changes go to the same filesystem, which has {format_size(left)} left for them"


def _require_idle(stick: OpenStick, directory: Path) -> None:
    """:raises RefusedError: somebody has put a file of the image in this directory to use.

    A kernel line may name an overlay, a home or swap space of another image than it starts.
    """
    if directory.is_symlink() or not directory.is_dir():  # a link goes by itself
        return
    for file in sorted(each for each in directory.iterdir() if not each.is_symlink()):
        use = use_of_upper(file) if file.is_dir() else use_of(file)
        if use is not None:
            hint = _ELSEWHERE if stick.running is not None else "end that use, then try again"
            raise RefusedError(f"{file} is in use: {use}", hint=hint)


def _require_own_updates(stick: OpenStick) -> None:
    """:raises RefusedError: the units for homes would be written through a link."""
    for folder in {each.place.folder for each in find_updates(stick.live)}:
        if isinstance(folder, HostFolder) and folder.directory.resolve() != folder.directory:
            raise RefusedError(
                f"{folder} leads through a link to {folder.directory.resolve()}, and nothing is"
                " written through one",
                hint="remove the link",
            )


def _is_same(path: Path, other: Path) -> bool:
    return path.exists() and path.samefile(other)
