# SPDX-License-Identifier: Apache-2.0
"""One image less in the menus of a stick of livecd-iso-to-disk; what `multi` does, undone.

Pure. What the readers of `medium.menus` see before and after is the proof that nothing but the
image's own entries has gone, and that what starts by itself stays what it was.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from liveos.errors import UnsupportedError
from liveos.medium.menus import grub, syslinux
from liveos.medium.menus.grub_places import entry_blocks
from liveos.medium.model import Entry, Firmware
from liveos.medium.owners_menus import starts_image
from liveos.operations.menus.multi import boot_directory

_MENU_MODULE = re.compile(r"(?i)(?:vesa)?menu\.c32")
_HELP = re.compile(r"(?i)text\s+help")
_OF_LABEL = re.compile(
    r"(?i)(?:kernel|linux|append|initrd|com32|config|localboot|text|endtext"
    r"|menu\s+(?:label|default|indent|hide|disable|passwd))\b"
)
_EMPTY_SUBMENU = re.compile(r"^[ \t]*submenu\b[^\n{]*\{\s*\}[ \t]*(?:\n|$)", re.MULTILINE)
_NUMBER = re.compile(r"""^\s*set\s+default=["']?(\d{1,6})\b""", re.MULTILINE)
_GRUB_DEFAULT = re.compile(r"^(\s*set\s+default=)\S*", re.MULTILINE)


def without_way(main: str, path: str, name: str) -> str:
    """The main menu of SYSLINUX, at ``path``, without the entry that shows the image's own.

    :raises UnsupportedError: other entries would change with it, or another one starts the image.
    """
    before = syslinux.parse(main, path).entries
    gone = [entry for entry in before if _is_way(entry, name)]
    new = main
    for start, end in reversed([*_labels(main, {entry.label or "" for entry in gone})]):
        new = new[:start] + new[end:]
    _require_the_same(before, gone, syslinux.parse(new, path).entries, path, name)
    return new


def without_entries(menu: str, path: str, name: str) -> str:
    """A menu of GRUB, at ``path``, without the entries that start the image.

    :raises UnsupportedError: other entries, or what starts by itself, would change with it.
    """
    before = grub.parse(menu, path, firmware=Firmware.UEFI).entries
    gone = [entry for entry in before if entry.kernel and starts_image(entry.options, name)]
    new = menu
    for block in sorted(entry_blocks(menu), key=lambda each: each.start, reverse=True):
        if any(starts_image(line.options, name) for line in block.lines):
            new = new[: block.start] + new[block.end :]
    if new != menu:
        new = _EMPTY_SUBMENU.sub("", new)
    left = [entry for entry in before if entry not in gone]
    default = next((number for number, entry in enumerate(left) if entry.default), 0)
    if new != menu and not _says(new, path, default):
        new = _GRUB_DEFAULT.sub(rf'\g<1>"{_item(left, default)}"', new)
    after = grub.parse(new, path, firmware=Firmware.UEFI).entries
    _require_the_same(before, gone, after, path, name)
    return new


def _is_way(entry: Entry, name: str) -> bool:
    """Whether an entry shows the menu in the directory of the image."""
    shows = _MENU_MODULE.fullmatch(entry.command.rpartition("/")[2]) and len(entry.options) == 1
    prefix = f"{boot_directory(name)}/".casefold()
    return bool(shows) and entry.options[0].casefold().startswith(prefix)


def _says(text: str, path: str, number: int) -> bool:
    """Whether an entry starts by itself, and not for want of the one that the menu names."""
    entries = grub.parse(text, path, firmware=Firmware.UEFI).entries
    named = _NUMBER.search(text)
    is_there = named is None or int(named[1]) < len(entries)
    return not entries or (is_there and number < len(entries) and entries[number].default)


def _item(entries: list[Entry], number: int) -> int:
    """The number of an entry as GRUB counts: a submenu with all its entries is one item."""
    item, around = -1, ""
    for entry in entries[: number + 1]:
        inside = entry.submenu[0] if entry.submenu else ""
        item += not inside or inside != around
        around = inside
    return max(item, 0)


def _require_the_same(
    before: tuple[Entry, ...], gone: list[Entry], after: tuple[Entry, ...], path: str, name: str
) -> None:
    left = [entry for entry in before if entry not in gone]
    # What starts by itself may be another one only where that one is gone.
    if left and any(entry.default for entry in gone):
        left[0] = replace(left[0], default=True)
    if list(after) != left or any(starts_image(each.options, name) for each in after):
        raise UnsupportedError(
            f"{path}: more would change in this menu than the entries of {name}",
            hint=f"remove them by hand, and then the directory /{name}",
        )


def _labels(text: str, names: set[str]) -> Iterator[tuple[int, int]]:
    """From where to where the blocks of these labels reach, with the blank lines around one."""
    start: int | None = None
    position = 0
    in_help = False
    for line in text.splitlines(keepends=True):
        words = line.split(None, 1)
        is_label = bool(words) and words[0].lower() == "label" and not in_help
        goes_on = in_help or not words or bool(_OF_LABEL.match(line.strip()))
        if start is not None and (is_label or not goes_on):
            yield start, position
            start = None
        if is_label and len(words) > 1 and words[1].strip() in names:
            start = position
        in_help = (in_help or bool(_HELP.match(line.strip()))) and (
            not words or words[0].lower() != "endtext"
        )
        position += len(line)
    if start is not None:
        # The last one takes the blank line with it that stands before it.
        yield start - text[:start].endswith("\n\n"), position
