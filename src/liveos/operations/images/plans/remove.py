# SPDX-License-Identifier: Apache-2.0
"""The plan of ``remove``: the menu first forgets an image, then everything of it goes.

A cut in between leaves a stick that starts the others, and files that nothing starts; the same
command, given again, removes those.
"""

from collections.abc import Iterator

from liveos.errors import RefusedError
from liveos.host.folders.folder import FolderFile
from liveos.host.folders.partition import PartitionFolder
from liveos.host.tools import DEBUGFS, MTOOLS
from liveos.medium.home.updates import find_updates
from liveos.medium.model import Image, Store
from liveos.medium.old_stick import AnyStick
from liveos.medium.stick import OpenStick, require_image
from liveos.operations.images.menus import forget
from liveos.operations.images.mounted import check_removal, opening, tools
from liveos.operations.images.plans.rubbish import clearing, lost_rubbish, removal
from liveos.operations.plan import AnyStep, Plan
from liveos.operations.steps.home import RemoveHome, RemoveUpdate
from liveos.sizes import format_size

_UNIT_WORDS = frozenset({"liveos.home", "liveos.swap"})


def plan(stick: OpenStick, name: str | None, *, force: bool = False) -> Plan:
    """Remove an image with its memory, or what a run that was cut off has left of one.

    :raises UsageError: there is no such image, or none is named where there are several.
    :raises RefusedError: it is the last one, and nobody said that this is meant.
    """
    left = _leftover(stick, name)
    if left is not None:
        check_removal(stick, left, partition=False)
        return Plan(
            title=f"clear what is left of {left} on {stick.path}",
            steps=(*opening(stick), *clearing(stick, left)),
            destroys=lost_rubbish(stick, left),
            needs=(DEBUGFS, MTOOLS, *tools(stick)),
        )
    name = require_image(stick, name)
    check_removal(stick, name, partition=_partition(stick.image(name)) is not None)
    others = other_names(stick, name, force=force)
    image = stick.image(name)
    return Plan(
        title=f"remove {name} from {stick.path}",
        steps=(*opening(stick), *_steps(stick, name, image)),
        destroys=tuple(losses(stick, name, image)),
        notes=tuple(_notes(stick, name, others)),
        needs=(DEBUGFS, MTOOLS, *tools(stick)),
        when_it_fails="the same command, given again, goes on",
    )


def other_names(stick: AnyStick, name: str, *, force: bool) -> tuple[str, ...]:
    """The images that stay.

    :raises RefusedError: none does, and nobody said that this is meant.
    """
    others = tuple(each for each in stick.names if each != name)
    if not others and not force:
        raise RefusedError(
            f"{name} is the last image on {stick.path}: nothing would start",
            hint="add --force to remove it for all that; liveos install --add puts another there",
        )
    return others


def _leftover(stick: OpenStick, name: str | None) -> str | None:
    if name is None:
        return None
    return next((each for each in stick.leftovers if each.casefold() == name.casefold()), None)


def _steps(stick: OpenStick, name: str, image: Image | None) -> Iterator[AnyStep]:
    yield from forget(stick, name)
    home = _partition(image)
    if home is not None:
        folder = _folder(stick, home)
        yield RemoveHome(FolderFile(folder, folder.name))
    yield from removal(stick, name)
    yield from update_removal(stick, name)


def update_removal(stick: AnyStick, name: str) -> Iterator[RemoveUpdate]:
    """What mounts home and swap of images goes with the last one that needs it."""
    if not any(_wants_units(each) for each in stick.images if each.name != name):
        stored = find_updates(stick.live)
        yield from (RemoveUpdate(each.place) for each in stored if each.text is not None)


def losses(stick: AnyStick, name: str, image: Image | None) -> Iterator[str]:
    """The image itself can be had again; what it remembers cannot."""
    yield f"the image {name} and everything in /{name} on {stick.path}"
    if image is None:
        return
    if image.overlay is not None:
        yield f"every change kept in {image.overlay.path}{_size(image.overlay.size)}"
    if image.home is not None:
        yield f"the home in {image.home.path}{_size(image.home.size)}, with every file in it"


def _notes(stick: OpenStick, name: str, others: tuple[str, ...]) -> Iterator[str]:
    if others and stick.menu.names[0] == name:
        yield f"{others[0]} starts by itself then"
    if not others:
        yield "nothing on this stick starts then"
    yield "the boot loaders stay"


def _partition(image: Image | None) -> Store | None:
    """A home in a partition that is the image's alone."""
    home = None if image is None else image.home
    if home is None or home.partition is None or image is None or home.uuid is None:
        return None
    named = any(home.uuid in word for entry in image.entries for word in entry.options)
    return home if named else None


def _folder(stick: OpenStick, home: Store) -> PartitionFolder:
    found = next(each for each in stick.scene.partitions if each.number == home.partition)
    return PartitionFolder(stick.path, found.offset, found.size, found.number, filled=True)


def _wants_units(image: Image) -> bool:
    names = {word.partition("=")[0] for entry in image.entries for word in entry.options}
    return bool(names & _UNIT_WORDS)


def _size(size: int | None) -> str:
    return "" if size is None else f" ({format_size(size)})"
