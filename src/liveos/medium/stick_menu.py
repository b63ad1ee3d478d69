# SPDX-License-Identifier: Apache-2.0
"""The menus of a stick that liveos made: on the ESP, each with one line for each image.

GRUB's (``operations.menus.text``) is always there, and promises what it names; where SYSLINUX
starts BIOS, it has another one (``operations.menus.syslinux_text``).
"""

import re
from dataclasses import dataclass

from liveos.errors import UnsupportedError
from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind
from liveos.host.folders.folder import FolderFile
from liveos.medium.menus.text import MOST_TEXT
from liveos.medium.menus.unified import find_unified
from liveos.medium.overlay.locate import place_in
from liveos.medium.scene import Scene
from liveos.medium.volume import Volume

MENU = "/EFI/BOOT/grub.cfg"
SYSLINUX_MENU = "/syslinux/syslinux.cfg"
_FIRST_LINE = "# Boot menu of a LiveOS stick."
_IMAGE_LINE = re.compile(
    r"^(?:source \(\$root\)|INCLUDE )/liveos/([^/\s]+)/(?:menu|syslinux)\.cfg[ \t]*$", re.MULTILINE
)
NO_STICK_HINT = "liveos install makes a stick that can hold several images"


def is_our_menu(text: str) -> bool:
    """Whether liveos has written the menu of a stick, for GRUB or for SYSLINUX."""
    return text.startswith(_FIRST_LINE) or _IMAGE_LINE.search(text) is not None


@dataclass(frozen=True, slots=True)
class StickMenu:
    """A menu of a stick: its file, the text in there, and the images that it names, in order."""

    place: FolderFile
    text: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(_IMAGE_LINE.findall(self.text))

    @property
    def is_ours(self) -> bool:
        return is_our_menu(self.text)


def menu_of(scene: Scene, esp: Volume) -> StickMenu:
    """GRUB's menu on the volume that starts a stick, which every one of ours has.

    :raises UnsupportedError: there is none, or it is not one of ours.
    """
    menu = read_menu(scene, esp, MENU)
    if menu is None:
        raise UnsupportedError(f"{scene.path} has no boot menu of liveos", hint=NO_STICK_HINT)
    return menu


def read_menu(scene: Scene, esp: Volume, path: str) -> StickMenu | None:
    """The menu at a path; None where none is.

    :raises UnsupportedError: it is its owner's, or damaged.
    """
    node = esp.find_file(path)
    if node is None or node.kind is not FileKind.FILE or node.size > MOST_TEXT:
        return None
    try:
        text = esp.tree.open(node).read_at(0, node.size).decode("utf-8", "surrogateescape")
    except FormatError as error:
        raise UnsupportedError(
            f"{scene.path}: {error}", hint="liveos inspect tells more"
        ) from error
    menu = StickMenu(place_in(esp, node.path), text)
    if not menu.is_ours:
        raise UnsupportedError(
            f"{scene.path} was not made by liveos, and its boot menu is its owner's to change",
            hint=NO_STICK_HINT,
        )
    return menu


def require_menu(scene: Scene, esp: Volume) -> None:
    """:raises UnsupportedError: UEFI starts the stick without a menu: it can show one image."""
    if find_unified(esp) is not None:
        raise UnsupportedError(
            f"a unified kernel image starts {scene.path}: such a stick has one image, as it was"
            " installed",
            hint="install it anew with --bootloader grub, for several images and newer ones",
        )
