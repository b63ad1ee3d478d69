# SPDX-License-Identifier: Apache-2.0
"""How what an image brings along changes the plan of an installation."""

from collections.abc import Iterator
from dataclasses import replace

from liveos.errors import UsageError
from liveos.host.luks import HEADER_SIZE
from liveos.medium.model import PersistenceKind
from liveos.medium.stores import HOME_NAME
from liveos.operations.carry.facts import Carried
from liveos.operations.install.sizes import AUTO, LEAST_HOME, LEAST_OVERLAY
from liveos.operations.install.stick import HomeRequest, InstallRequest, Rooms, Stick
from liveos.operations.steps.carry import (
    CarryHome,
    CarryOverlay,
    CarryStep,
    CarryUpper,
    CompareSums,
)
from liveos.operations.steps.stick import Place
from liveos.sizes import Size

_MIB = 1 << 20


def with_memory(request: InstallRequest, carried: Carried) -> InstallRequest:
    """The request with the kinds and sizes of what comes along.

    :raises UsageError: something new was asked for in its place.
    """
    if carried.overlay is not None:
        if request.overlay is not AUTO or request.overlay_kind is not None:
            raise UsageError(
                "a copied overlay has the size and the kind that it has",
                hint="leave out --overlay and --overlay-kind; overlay resize and convert change"
                " them later",
            )
        kind, size = carried.overlay.kind, _wish(carried.overlay.size, LEAST_OVERLAY)
        is_direct = kind is PersistenceKind.DIRECT
        request = replace(request, overlay_kind=kind, overlay=AUTO if is_direct else size)
    if carried.home is not None:
        if request.home is not None:
            raise UsageError(
                "a home cannot be copied and made anew", hint="leave out --home or --copy-home"
            )
        least = LEAST_HOME + (HEADER_SIZE if carried.home.encrypted else 0)
        home = HomeRequest(_wish(carried.home.size, least), encrypted=carried.home.encrypted)
        request = replace(request, home=home)
    return request


def with_sizes(rooms: Rooms, carried: Carried) -> Rooms:
    """Rooms in which the copies have the very sizes of what they are copies of."""
    if carried.overlay is not None and rooms.overlay is not None:
        rooms = replace(rooms, overlay=carried.overlay.size)
    if carried.home is not None:
        rooms = replace(rooms, home=carried.home.size)
    return rooms


def overlay_steps(stick: Stick, carried: Carried) -> Iterator[CarryStep]:
    """The overlay, under the name that the new stick gives it."""
    overlay, place = carried.overlay, Place(stick.live, stick.installed.overlay_path)
    assert overlay is not None
    if overlay.kind is PersistenceKind.DIRECTORY:
        yield CarryUpper(carried.spec, place, overlay.still)
    elif overlay.kind is not PersistenceKind.DIRECT:
        yield CarryOverlay(carried.spec, place, overlay.size, overlay.still)


def home_steps(stick: Stick, carried: Carried) -> Iterator[CarryStep]:
    """The home, as a file beside the image."""
    assert carried.home is not None
    place = Place(stick.live, f"{stick.directory}/{HOME_NAME}")
    yield CarryHome(carried.spec, place, carried.home.size, carried.home.still)


def sum_steps(stick: Stick) -> Iterator[CarryStep]:
    """The comparison with what was noted, of the files that are copied as they are."""
    carried, payload = stick.carried, stick.payload
    if carried is None:
        return
    noted = {file.path: file for file in carried.noted}
    copies = [(file, Place(stick.esp, path)) for file, path in payload.boot_files]
    if not payload.unpacked:
        copies.append((payload.root, Place(stick.live, f"{stick.directory}/{payload.root_name}")))
    files = tuple((place, noted[file.path]) for file, place in copies if file.path in noted)
    if files:
        yield CompareSums(carried.spec, files)


def notes(carried: Carried) -> Iterator[str]:
    """What a person should know of the copies before they are made."""
    places = dict.fromkeys(
        each.still for each in (carried.overlay, carried.home) if each and each.still
    )
    for place in places:
        yield f"{place} is in use: while it is copied, everything waits that wants to write there"


def _wish(size: int, least: int) -> Size:
    """In whole MiB, as the rooms are shared out."""
    return Size(bytes=max(least, -(-size // _MIB) * _MIB))
