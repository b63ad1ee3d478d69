# SPDX-License-Identifier: Apache-2.0
"""The boot menus of a stick that another program made, and the lines in them that start an image.

livecd-iso-to-disk leaves a SYSLINUX menu, one of GRUB under two names, and a copy of both on the
ESP (livecd-tools.md 2.2, 2.6). Which firmware will read which of them is the machine's choice, so
that a change belongs into all of them or into none.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from liveos.errors import LiveosError
from liveos.formats.binary import FormatError
from liveos.host.folders.folder import FolderFile
from liveos.medium.installed import DEFAULT_DIRECTORY
from liveos.medium.menus import grub, syslinux
from liveos.medium.menus.find import MENU_PLACES
from liveos.medium.menus.grub_places import KernelLine, kernel_lines
from liveos.medium.menus.syslinux_places import append_lines
from liveos.medium.menus.text import MOST_TEXT
from liveos.medium.model import Entry, Firmware, Image, MediumKind
from liveos.medium.overlay.locate import place_in
from liveos.medium.scene import Scene
from liveos.medium.volume import Volume

_SYSLINUX_NAMES = frozenset({"syslinux.cfg", "isolinux.cfg", "extlinux.conf"})


@dataclass(frozen=True, slots=True)
class OwnersMenu:
    """A menu file, its text, and the directory of the image that it is to be changed for.

    Bytes that are no UTF-8 are lone surrogates in ``text`` (PEP 383), so that nothing gets lost.
    """

    place: FolderFile
    path: str
    text: str
    directory: str

    @property
    def is_syslinux(self) -> bool:
        """Whether it is in the language of SYSLINUX; if not, in that of GRUB."""
        return is_syslinux(self.place.name)

    @property
    def lines(self) -> tuple[KernelLine, ...]:
        """The lines that start the image, in order."""
        lines = append_lines(self.text) if self.is_syslinux else kernel_lines(self.text)
        return tuple(line for line in lines if self.starts(line.options))

    def starts(self, options: Iterable[str]) -> bool:
        """Whether these words of a kernel line start the image."""
        return starts_image(options, self.directory)

    def entries(self, text: str) -> tuple[Entry, ...]:
        """The entries of this file alone, if it had this text."""
        if self.is_syslinux:
            return syslinux.parse(text, self.path).entries
        return grub.parse(text, self.path, firmware=Firmware.UEFI).entries


@dataclass(frozen=True, slots=True)
class OwnersMenus:
    """All the menus that start an image; or the ``problem`` why none of them is to be changed."""

    files: tuple[OwnersMenu, ...] = ()
    problem: str | None = None


NO_MENUS = OwnersMenus(problem="no menu was found that starts this image")
"""Of an image that nothing starts, or that has a menu of ours."""


def is_syslinux(name: str) -> bool:
    """Whether a menu of this name is in the language of SYSLINUX."""
    return name.casefold() in _SYSLINUX_NAMES


def starts_image(options: Iterable[str], directory: str) -> bool:
    """Whether the words of a kernel line let dracut look for an image in a directory."""
    values = dict(word.partition("=")[::2] for word in options)
    named = values.get("rd.live.dir") or values.get("live_dir") or DEFAULT_DIRECTORY
    is_live = values.get("root", "").startswith("live:")
    return is_live and named.strip("/").casefold() == directory.casefold()


def find_owners_menus(scene: Scene, image: Image, directory: str) -> OwnersMenus:
    """The menus of an image on a stick that liveos did not make."""
    try:
        files = tuple(_files(scene, image, directory))
    except (FormatError, LiveosError) as error:
        return OwnersMenus(problem=f"its menus cannot be read: {error}")
    return OwnersMenus(files, _problem(scene, image, files))


def _problem(scene: Scene, image: Image, files: tuple[OwnersMenu, ...]) -> str | None:
    """What makes a change of these menus uncertain."""
    if scene.kind is not MediumKind.DISK:
        return "only a part of the stick is here"  # the ESP has a copy of the menu
    if not files:
        return NO_MENUS.problem
    paths = {file.path.casefold() for file in files}
    for entry in image.entries:
        if entry.live_source and entry.menu.casefold() not in paths:
            return f"{entry.menu} is of a kind that is not changed"
    for file in files:
        started = [entry for entry in file.entries(file.text) if file.starts(entry.options)]
        # A line of each may be behind a condition; without any, it is not in this text.
        if len(started) > len(file.lines):
            return f"{file.path} is more than a plain list of entries"
    return None


def _files(scene: Scene, image: Image, directory: str) -> Iterator[OwnersMenu]:
    own = (f"/{directory}/syslinux/{name}" for name in sorted(_SYSLINUX_NAMES))
    paths = dict.fromkeys((*MENU_PLACES, *own, *(entry.menu for entry in image.entries)))
    for volume in scene.volumes:
        seen = set()
        for path in filter(None, paths):
            found = _file(volume, path, directory)
            if found is not None and found.place not in seen:
                seen.add(found.place)
                yield found


def _file(volume: Volume, path: str, directory: str) -> OwnersMenu | None:
    """The menu at a path, if there is one that starts the image."""
    node = volume.find_file(path)
    if node is None or node.size > MOST_TEXT:
        return None
    text = volume.tree.open(node).read_at(0, node.size).decode("utf-8", "surrogateescape")
    menu = OwnersMenu(place_in(volume, node.path), node.path, text, directory)
    return menu if menu.lines else None
