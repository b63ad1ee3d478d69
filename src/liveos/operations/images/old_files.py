# SPDX-License-Identifier: Apache-2.0
"""The root and the boot files that an image has, when newer ones are to lie beside them."""

import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from liveos.errors import UnsupportedError
from liveos.host.folders.folder import FolderFile
from liveos.medium.installed import DEFAULT_IMAGE
from liveos.medium.model import Image
from liveos.medium.record import RECORD_NAME
from liveos.medium.stick import OpenStick
from liveos.operations.install.payload import Payload
from liveos.operations.menus.text import image_directory

_OTHER_IMAGE = "squashfs-2.img"
_ROOTS = (DEFAULT_IMAGE, _OTHER_IMAGE)
_MENU_FILE = "menu.cfg"
_KEPT = frozenset({_MENU_FILE, "syslinux.cfg", RECORD_NAME})


@dataclass(frozen=True, slots=True)
class OldFiles:
    """What an image has now: names on LIVE and on the ESP.

    ``stale_roots`` and ``stale_boot`` are files that a run which was cut off has left on each: no
    entry of the menu names them.
    """

    root: str
    boot: tuple[FolderFile, ...]
    stale_roots: tuple[FolderFile, ...]
    stale_boot: tuple[FolderFile, ...]

    @property
    def stale(self) -> tuple[FolderFile, ...]:
        return (*self.stale_boot, *self.stale_roots)

    @property
    def boot_names(self) -> frozenset[str]:
        return frozenset(file.name.casefold() for file in self.boot)


def old_files(stick: OpenStick, name: str, image: Image) -> OldFiles:
    """The files of an image, told from its menu."""
    root = posixpath.basename(image.root.file.path) if image.root.file else ""
    named = {
        path.casefold() for entry in image.entries for path in (entry.kernel, *entry.initrd) if path
    }
    directory = image_directory(name)
    used, unused = [], []
    for node in stick.boot_files(name):
        place = FolderFile(stick.boot_folder(name), node.name)
        if f"{directory}/{node.name}".casefold() in named:
            used.append(place)
        elif node.name.casefold() not in _KEPT:
            unused.append(place)
    there = stick.live.list_names(f"/{name}")
    roots = [each for each in _ROOTS if each in there and each != root]
    stale = tuple(FolderFile(stick.folder(name), each) for each in roots)
    return OldFiles(root, tuple(used), stale, tuple(unused))


def beside(payload: Payload, name: str, old: OldFiles) -> Payload:
    """A payload whose files have names that the old ones have not.

    A root beside one that is not packed is called so that nothing looks for it unless it is told.

    :raises UnsupportedError: dracut would find no second root of this form.
    """
    if payload.root_name != DEFAULT_IMAGE:
        raise UnsupportedError(
            f"the root of {payload.image.name} is not packed, and could not lie beside the old one",
            hint="liveos install --add puts it beside the old image; liveos remove removes that",
        )
    root = DEFAULT_IMAGE if old.root == _OTHER_IMAGE else _OTHER_IMAGE
    taken = old.boot_names | _KEPT
    boot_files = []
    for file, path in payload.boot_files:
        boot_files.append(
            (file, f"{image_directory(name)}/{_fresh(posixpath.basename(path), taken)}")
        )
    return replace(payload, root_name=root, boot_files=tuple(boot_files))


def _fresh(name: str, taken: Collection[str]) -> str:
    """The name, or one with a number, that nothing has."""
    return next(each for each in _candidates(name) if each.casefold() not in taken)


def _candidates(name: str) -> Iterator[str]:
    yield name
    stem, extension = posixpath.splitext(name)
    number = 2
    while True:
        yield f"{stem}-{number}{extension}"
        number += 1
