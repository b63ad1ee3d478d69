# SPDX-License-Identifier: Apache-2.0
"""Which menu each firmware shows: the places of images.md section 6, tried in order."""

import re
from collections.abc import Sequence

from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind, FileTree
from liveos.medium.menus import grub, grub_legacy, syslinux, text
from liveos.medium.model import Firmware, Menu

_SYSLINUX = (
    "/isolinux/isolinux.cfg",
    "/boot/isolinux/isolinux.cfg",
    "/syslinux/syslinux.cfg",
    "/syslinux/extlinux.conf",
    "/boot/syslinux/syslinux.cfg",
    "/boot/extlinux/extlinux.conf",
    "/isolinux.cfg",
    "/syslinux.cfg",
    "/extlinux.conf",
)
_GRUB = ("/boot/grub2/grub.cfg", "/boot/grub/grub.cfg", "/grub2/grub.cfg", "/grub/grub.cfg")
_EFI = (
    "/EFI/BOOT/grub.cfg",
    "/EFI/BOOT/BOOT.conf",
    "/EFI/BOOT/BOOT.cfg",
    "/EFI/BOOT/grub.conf",
    "/EFI/BOOT/bootx64.conf",
    "/EFI/BOOT/bootia32.conf",
)
_PLACES = {Firmware.BIOS: (*_SYSLINUX, *_GRUB), Firmware.UEFI: (*_EFI, *_GRUB)}
MENU_PLACES = (*_SYSLINUX, *_GRUB, *_EFI)
"""Paths at which a loader may look for its menu, whichever firmware starts it."""

# Without one of these the firmware has nothing to start GRUB with, whatever menus there are.
_EFI_SIGNS = ("/EFI/BOOT", "/boot/grub/efi.img", "/boot/grub/x86_64-efi", "/boot/grub2/x86_64-efi")


def find_menu(
    firmware: Firmware, trees: Sequence[FileTree], *, shared: bool = False
) -> Menu | None:
    """The menu that a firmware shows; None when it shows none.

    ``trees`` are the filesystems that it can read, the one that it starts from first: a menu may
    include files of the others. ``shared``: a BIOS loader may use the menu of EFI.
    """
    if firmware is Firmware.UEFI and not any(_exists(trees, sign) for sign in _EFI_SIGNS):
        return None
    for path in _PLACES[firmware] + (_EFI if shared else ()):
        content = read_menu_file(trees, path)
        if content is None:
            continue
        menu = parse_menu(content, path, firmware, lambda other: read_menu_file(trees, other))
        if menu.entries:
            return menu
    return None


def read_menu_file(trees: Sequence[FileTree], path: str) -> str | None:
    """The text of a menu file, whatever the case of its name; None where there is none."""
    for tree in trees:
        try:
            node = tree.resolve(path, ignore_case=True)
            if node is not None and node.kind is FileKind.FILE:
                length = min(node.size, text.MOST_TEXT)
                return text.decode(tree.open(node).read_at(0, length))
        except FormatError:
            continue
    return None


def parse_menu(
    menu: str, path: str, firmware: Firmware, read: text.ReadMenu = text.read_nothing
) -> Menu:
    """A menu file's text, in the language that its name and its words tell."""
    if path in _SYSLINUX:
        return syslinux.parse(menu, path, firmware=firmware, read=read)
    if re.search(r"(?m)^\s*title\s", menu) and "menuentry" not in menu:
        return grub_legacy.parse(menu, path, firmware=firmware)
    return grub.parse(menu, path, firmware=firmware, read=read)


def _exists(trees: Sequence[FileTree], path: str) -> bool:
    try:
        return any(tree.resolve(path, ignore_case=True) is not None for tree in trees)
    except FormatError:
        return False
