# SPDX-License-Identifier: Apache-2.0
"""Which entries of a medium's menu start the image that is meant, and where they stand in it."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from liveos.errors import UnsupportedError, UsageError
from liveos.host.machine.firmware import FirmwareKind
from liveos.medium.inspect import opened
from liveos.medium.model import Entry, Firmware, Medium
from liveos.medium.payloads import live_directory


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry, and its ``position`` in the whole menu, from 0.

    To GRUB a submenu is one item, and its entries are none of the menu's.
    """

    position: int
    entry: Entry


def shown_entries(target: Path, firmware: FirmwareKind) -> tuple[Entry, ...]:
    """What the menu lists to this firmware, in order; nothing where none can be read."""
    with suppress(UnsupportedError), opened(target) as (scene, _):
        menu = scene.menu(_kind(firmware))
        return () if menu is None else menu.entries
    return ()


def choices(
    medium: Medium | None,
    shown: tuple[Entry, ...],
    firmware: FirmwareKind,
    image: str | None = None,
) -> tuple[Choice, ...]:
    """The entries of an image: of the one that is named, else of what starts by itself.

    :param shown: the whole menu; without it, the images' own entries are taken for it.
    :raises UsageError: no entry starts an image of this name.
    """
    images = medium.images if medium is not None else ()
    own = [entry for each in images for entry in each.entries if entry.firmware is _kind(firmware)]
    entries = list(shown) or own
    if len(images) <= 1 and image is None:
        return tuple(map(Choice, _positions(entries), entries)) if images else ()
    name = image or _default(entries)
    found = tuple(_of(entries, name)) if name is not None else ()
    if image is not None and not found:
        known = ", ".join(dict.fromkeys(each.name for each in images)) or "none"
        raise UsageError(
            f"no entry of the {firmware} menu starts an image {image}; there are: {known}",
            hint="liveos list shows the images of a stick",
        )
    return found


def _of(entries: list[Entry], name: str) -> Iterator[Choice]:
    for position, entry in zip(_positions(entries), entries, strict=True):
        if entry.live_source and live_directory(entry).casefold() == name.casefold():
            yield Choice(position, entry)


def _positions(entries: list[Entry]) -> Iterator[int]:
    number, around = -1, ""
    for entry in entries:
        # SYSLINUX gives its entries labels, and shows those of submenus by them, too.
        inside = entry.submenu[0] if entry.submenu and entry.label is None else ""
        if not inside or inside != around:
            number += 1
        around = inside
        yield number


def _default(entries: list[Entry]) -> str | None:
    """The image that starts by itself: the first one where the menu does not say."""
    live = sorted((each for each in entries if each.live_source), key=lambda each: not each.default)
    return live_directory(live[0]) if live else None


def _kind(firmware: FirmwareKind) -> Firmware:
    return Firmware.BIOS if firmware is FirmwareKind.BIOS else Firmware.UEFI
