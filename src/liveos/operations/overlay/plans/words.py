# SPDX-License-Identifier: Apache-2.0
"""What stands in the menu and in ``image.json`` about an image's overlay, brought up to date."""

import json

from liveos.errors import UnsupportedError
from liveos.formats.binary import FormatError
from liveos.host.folders.folder import FolderFile
from liveos.medium.installation import Installation, Record
from liveos.medium.installed import Installed
from liveos.medium.memory_warnings import named_overlay
from liveos.medium.menus.grub_places import kernel_lines
from liveos.operations.menus import owners
from liveos.operations.menus.change import remembering
from liveos.operations.menus.everywhere import menu_steps
from liveos.operations.steps.menus import MenuStep, ReplaceRecord
from liveos.operations.steps.whole_overlay import leftovers, unused


def require_menus(found: Installation) -> None:
    """:raises UnsupportedError: only a part of the stick is here, without the boot menu."""
    if not found.installed.uuid or not (found.menu or found.image.entries):
        raise UnsupportedError(
            f"{found.spec} is not a whole stick: what starts the image is not in there",
            hint="unmount it, and name the whole device or the image file",
        )


def changes_of_words(
    found: Installation, installed: Installed, size: int | None
) -> tuple[MenuStep, ...]:
    """The steps after which the stick starts as ``installed`` says, and its record says so.

    ``size`` is that of the overlay, in bytes; None where it has none. A menu of ours that is to
    forget, and does not remember, stays as it is. Menus of others change on their lines alone.

    :raises UnsupportedError: what menus of others would do then is not certain.
    """
    if found.menu is None:
        return owners.remembering(found.owners, installed)
    text = found.menu.text
    if installed.overlay is not None or any(map(named_overlay, found.menu.entries)):
        text = remembering(found.menu, installed)
    steps: list[MenuStep] = []
    if text != found.menu.text:
        steps += menu_steps(found.menu, text)
    record = None if found.record is None else _noted(found.record, installed, size, text)
    return (*steps, record) if record else tuple(steps)


def _noted(
    record: Record, installed: Installed, size: int | None, menu: str
) -> ReplaceRecord | None:
    """With the overlay, and the words of the first entry; None when it says so already."""
    overlay = installed.overlay and {
        "kind": str(installed.overlay),
        "path": installed.overlay_path,
        "size": size,
        "readonly": installed.readonly,
    }
    lines = kernel_lines(menu)
    options = " ".join(lines[0].options) if lines else record.facts.get("options")
    facts = {**record.facts, "options": options, "overlay": overlay}
    if facts == record.facts:
        return None
    return ReplaceRecord(record.place, json.dumps(facts, indent=1) + "\n")


def room_for(place: FolderFile) -> int:
    """The bytes that a new overlay can have: a half-made one makes room before.

    On FAT, of one that a power cut has left without all of its clusters nobody knows how much.
    """
    folder, old = place.folder, unused(place)
    if old.name not in folder.names():
        return folder.free()
    try:
        with old.open() as file:
            return folder.free() + file.size
    except FormatError:
        return folder.free()


def rubbish(found: Installation) -> tuple[str, ...]:
    """Notes on what a run that was cut off has left behind."""
    names = leftovers(found.names, found.overlay_place)
    return tuple(f"{found.folder}/{name}, left by a run that was cut off, goes" for name in names)
