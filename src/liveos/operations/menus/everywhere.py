# SPDX-License-Identifier: Apache-2.0
"""A new menu of an image, for every loader of the stick that has one of its own."""

from collections.abc import Iterator

from liveos.host.folders.folder import FolderFile, require_room
from liveos.host.unified import padded
from liveos.medium.image_menu import ImageMenu
from liveos.medium.menus import grub
from liveos.medium.menus.text import MOST_TEXT
from liveos.medium.model import Firmware
from liveos.operations.menus import syslinux_text
from liveos.operations.menus.text import MenuEntry
from liveos.operations.steps.menus import ReplaceCommandLine, ReplaceMenu


def menu_steps(menu: ImageMenu, text: str) -> Iterator[ReplaceMenu | ReplaceCommandLine]:
    """The steps by which GRUB's menu becomes ``text``, and the others say the same.

    SYSLINUX has the same entries in its own language, and a unified kernel image has the words of
    the first one.

    :raises UnsupportedError: these are more than such an image can hold.
    :raises NoSpaceError: there is no room for a second one, which takes the place of the first.
    """
    yield ReplaceMenu(menu.place, text)
    entries = bios_entries(text, str(menu.place))
    if menu.syslinux is not None:
        yield ReplaceMenu(menu.syslinux, syslinux_text.image_menu(menu.name, entries))
    if menu.unified is not None and entries:
        yield _command_line(menu.unified, " ".join(entries[0].options))


def in_step(menu: ImageMenu | None) -> Iterator[ReplaceMenu]:
    """What is to be done if SYSLINUX's menu says something else: a run was cut off between them."""
    if menu is None or menu.syslinux is None:
        return
    text = syslinux_text.image_menu(menu.name, bios_entries(menu.text, str(menu.place)))
    with menu.syslinux.open() as file:
        there = file.read_at(0, min(file.size, MOST_TEXT))
    if there != text.encode("utf-8", "surrogateescape"):
        yield ReplaceMenu(menu.syslinux, text)


def _command_line(image: FolderFile, line: str) -> ReplaceCommandLine:
    """The step, if it can be done: what cannot is to be known before anything is written."""
    padded(line)
    with image.open() as file:
        require_room(file.size, image.folder.free(), image.folder)
    return ReplaceCommandLine(image, line)


def bios_entries(text: str, path: str) -> tuple[MenuEntry, ...]:
    """What BIOS starts of GRUB's menu of an image; it has the plain verbs."""
    found = grub.parse(text, path, firmware=Firmware.BIOS).entries
    return tuple(
        MenuEntry(entry.title, entry.kernel, entry.initrd, entry.options)
        for entry in found
        if entry.kernel is not None
    )
