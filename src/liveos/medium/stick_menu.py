# SPDX-License-Identifier: Apache-2.0
"""The menu of a stick that liveos made: the images that it promises."""

import re
from dataclasses import dataclass

from liveos.errors import UnsupportedError
from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind
from liveos.host.folders.folder import FolderFile
from liveos.medium.menus.text import MOST_TEXT
from liveos.medium.overlay.locate import place_in
from liveos.medium.scene import Scene
from liveos.medium.volume import Volume

MENU = "/EFI/BOOT/grub.cfg"
NO_STICK_HINT = "liveos install makes a stick that can hold several images"
_FIRST_LINE = "# Boot menu of a LiveOS stick."
_IMAGE_LINE = re.compile(r"^source \(\$root\)/liveos/([^/\s]+)/menu\.cfg[ \t]*$", re.MULTILINE)
_OUR_LINE = re.compile(r"^(?:source \(\$root\)|INCLUDE )/liveos/[^/\s]+/", re.MULTILINE)


def is_our_menu(text: str) -> bool:
    """Whether liveos has written the menu of a stick, for GRUB or for SYSLINUX."""
    return text.startswith(_FIRST_LINE) or _OUR_LINE.search(text) is not None


@dataclass(frozen=True, slots=True)
class StickMenu:
    """The menu of a stick: its file, the text in there, and the images that it names, in order."""

    place: FolderFile
    text: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(_IMAGE_LINE.findall(self.text))

    @property
    def is_ours(self) -> bool:
        return is_our_menu(self.text)


def menu_of(scene: Scene, esp: Volume) -> StickMenu:
    """The menu of a stick on the volume that starts it.

    :raises UnsupportedError: there is none, or none of ours.
    """
    node = esp.find_file(MENU)
    if node is None or node.kind is not FileKind.FILE or node.size > MOST_TEXT:
        raise UnsupportedError(f"{scene.path} has no boot menu of liveos", hint=NO_STICK_HINT)
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
