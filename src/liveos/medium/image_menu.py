# SPDX-License-Identifier: Apache-2.0
"""The part of a stick's boot menu that belongs to one image: ``/liveos/<NAME>/menu.cfg``.

Sticks that liveos made have it on the ESP, written by ``operations.install.menu``; those of other
makers have one menu for everything, of which no more than words are changed (`owners_menus`).
"""

from dataclasses import dataclass

from liveos.errors import UnsupportedError
from liveos.formats.tree import Node
from liveos.host.folders.folder import FolderFile
from liveos.medium.menus import grub
from liveos.medium.menus.text import MOST_TEXT
from liveos.medium.menus.unified import find_unified
from liveos.medium.model import Entry, Firmware
from liveos.medium.overlay.locate import place_in
from liveos.medium.scene import Scene
from liveos.medium.volume import Volume

_PATH = "/liveos/{}/menu.cfg"
_SYSLINUX_PATH = "/liveos/{}/syslinux.cfg"


@dataclass(frozen=True, slots=True)
class ImageMenu:
    """An image's menu: its file, the text in there, and the entries as UEFI sees them.

    Bytes that are no UTF-8 are lone surrogates in ``text`` (PEP 383), so that nothing gets lost.
    ``syslinux`` is the same menu for SYSLINUX, and ``unified`` the kernel image that UEFI starts by
    itself, with the first entry's words in it: where there are such, they say the same as ``text``.
    """

    place: FolderFile
    text: str
    entries: tuple[Entry, ...]
    name: str = ""
    syslinux: FolderFile | None = None
    unified: FolderFile | None = None


def find_image_menu(scene: Scene, name: str) -> ImageMenu | None:
    """The menu of the image ``name``; None where there is none: it is not a stick of liveos.

    :raises UnsupportedError: it is far too long for a menu.
    """
    path = _PATH.format(name.strip("/"))
    for volume in _in_order(scene):
        node = volume.find_file(path)
        if node is None:
            continue
        if node.size > MOST_TEXT:
            raise UnsupportedError(f"{scene.path}: {path} has {node.size} bytes: that is no menu")
        text = volume.tree.open(node).read_at(0, node.size).decode("utf-8", "surrogateescape")
        entries = grub.parse(text, path, firmware=Firmware.UEFI).entries
        return ImageMenu(
            place_in(volume, node.path),
            text,
            entries,
            name.strip("/"),
            _place(volume, volume.find_file(_SYSLINUX_PATH.format(name.strip("/")))),
            _place(volume, find_unified(volume)),
        )
    return None


def _place(volume: Volume, node: Node | None) -> FolderFile | None:
    return None if node is None else place_in(volume, node.path)


def _in_order(scene: Scene) -> tuple[Volume, ...]:
    """The ESP first: that is where the firmware looks."""
    others = tuple(volume for volume in scene.volumes if volume is not scene.esp)
    return others if scene.esp is None else (scene.esp, *others)
