# SPDX-License-Identifier: Apache-2.0
"""What may be done to the stick that this system runs from, and what has to be said of it.

LIVE is mounted there, so its files are written through the mounted directory; the ESP is not, and
is changed as on any other stick. Nothing of the image that runs is touched.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from liveos.errors import NotPermittedError, RefusedError, UnsupportedError
from liveos.host.tools import MOUNT, Tool
from liveos.host.use import use_of, use_of_upper
from liveos.medium.model import Medium
from liveos.medium.running import Running, require_other
from liveos.medium.stick import OpenStick
from liveos.operations.install.stick import InstallRequest
from liveos.operations.steps.images import MakeWritable
from liveos.sizes import format_size

_ELSEWHERE = "start from another medium, and name this stick there"


def check_addition(request: InstallRequest, source: Medium, stick: OpenStick) -> None:
    """:raises LiveosError: an image that must not, or cannot, come to the running stick."""
    if stick.running is None:
        return
    require_other(stick.running, request.name)
    _require_idle(stick.running, request.name)
    if _is_same(source.path, stick.running.mount):
        raise RefusedError(
            "the image that this system runs from is on this stick already", hint="name another one"
        )
    if request.home is not None and request.home.partition:
        raise UnsupportedError(
            "the disk that this system runs from gets no further partition while it is in use",
            hint="make the home a file: leave out --home-partition",
        )
    check_permission(stick)


def check_removal(stick: OpenStick, name: str, *, partition: bool) -> None:
    """:raises LiveosError: an image of the running stick that must not, or cannot, be removed.

    ``partition`` tells that it has a partition of its own.
    """
    if stick.running is None:
        return
    require_other(stick.running, name)
    _require_idle(stick.running, name)
    if partition:
        raise UnsupportedError(
            f"{name} has a partition for its home, and no partition of the disk that this system"
            " runs from is changed while it is in use",
            hint=_ELSEWHERE,
        )
    check_permission(stick)


def refuse_running(stick: OpenStick, name: str, verb: str) -> None:
    """:raises LiveosError: it is the running stick, whose images are only added and removed."""
    if stick.running is None:
        return
    require_other(stick.running, name)
    raise UnsupportedError(
        f"{name} is on the stick that this system runs from, whose images can be added and"
        f" removed, but not {verb}",
        hint=_ELSEWHERE,
    )


def check_permission(stick: OpenStick) -> None:
    """:raises NotPermittedError: somebody who may not write to what is mounted, or mount it so."""
    if stick.running is None:
        return
    mount = stick.running.mount
    may = os.geteuid() == 0 if stick.running.read_only else os.access(mount, os.W_OK)
    if not may:
        raise NotPermittedError(f"{mount} may not be written", hint="run it as root")


def opening(stick: OpenStick) -> Iterator[MakeWritable]:
    """What has to come before the first write to LIVE."""
    if stick.running is not None and stick.running.read_only:
        yield MakeWritable(stick.running.mount)


def tools(stick: OpenStick) -> tuple[Tool, ...]:
    return (MOUNT,) if any(opening(stick)) else ()


def running_notes(stick: OpenStick, left: int) -> Iterator[str]:
    """``left`` are the bytes that will be free on LIVE."""
    running = stick.running
    if running is None:
        return
    yield f"this system runs from that stick; {running.directory}, which it runs, stays as it is"
    if running.overlay_mount == running.mount:
        yield f"its changes go to the same filesystem, which has {format_size(left)} left for them"


def _require_idle(running: Running, name: str) -> None:
    """:raises RefusedError: the running system has put a file of another image to use.

    A kernel line may name an overlay, a home or swap space wherever it likes.
    """
    directory = running.mount / name
    if directory.is_symlink() or not directory.is_dir():  # a link goes by itself
        return
    for file in sorted(each for each in directory.iterdir() if not each.is_symlink()):
        use = use_of_upper(file) if file.is_dir() else use_of(file)
        if use is not None:
            raise RefusedError(f"{file} is in use: {use}", hint=_ELSEWHERE)


def _is_same(path: Path, other: Path) -> bool:
    return path.exists() and path.samefile(other)
