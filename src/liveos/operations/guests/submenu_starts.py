# SPDX-License-Identifier: Apache-2.0
"""Lets SYSLINUX start an image whose menu is a file of its own, which another menu shows.

That is how livecd-iso-to-disk lays out further images (livecd-tools.md 2.6). ``timeout`` and
``ontimeout`` are those of SYSLINUX's ``doc/syslinux.txt``; the last of each is the one that counts.
"""

from contextlib import suppress
from pathlib import Path

from liveos.errors import UnsupportedError
from liveos.medium.inspect import opened
from liveos.medium.menus import syslinux
from liveos.medium.menus.find import read_menu_file
from liveos.medium.model import Entry, Firmware


def submenu_starts(target: Path, entry: int | None) -> dict[str, str]:
    """Lines for the ends of menus, by their paths in small letters, which let an entry start.

    ``entry`` is its number in what a BIOS shows. Of one that no other menu leads to, nothing.
    """
    if entry is None:
        return {}
    with suppress(UnsupportedError), opened(target) as (scene, _):
        menu = scene.menu(Firmware.BIOS)
        if menu is None or entry >= len(menu.entries):
            return {}
        chosen = menu.entries[entry]
        if chosen.label is None or chosen.menu == menu.path:
            return {}
        trees = [volume.tree for volume in scene.volumes_for(Firmware.BIOS)]
        text = read_menu_file(trees, menu.path) or ""
        main = syslinux.parse(text, menu.path).entries
        way = next((each for each in main if _leads(each, chosen)), chosen)
        return {menu.path.casefold(): _start(way), chosen.menu.casefold(): _start(chosen)}
    return {}


def _start(entry: Entry) -> str:
    return f"\ntimeout 1\nontimeout {entry.label}\n"


def _leads(way: Entry, chosen: Entry) -> bool:
    return bool(way.options) and way.options[-1].casefold() == chosen.menu.casefold()
