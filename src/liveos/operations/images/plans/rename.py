# SPDX-License-Identifier: Apache-2.0
"""The plan of ``rename``: another name for an image, on LIVE, on the ESP and in every word.

First its boot files and its menu lie under the new name, too, then its directory gets that name
and leaves a link of the old one: from there on both menus start it. Then the menu of the stick
changes, and the old names go. A cut leaves one menu or the other; the same command goes on.
"""

import json
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from liveos.errors import RefusedError, UnsupportedError
from liveos.formats.tree import FileKind, Node
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.folder import FolderFile
from liveos.host.tools import DEBUGFS, MTOOLS
from liveos.medium.bootline import directory_words
from liveos.medium.images import best_initramfs
from liveos.medium.installation import read_record
from liveos.medium.menus.grub_places import kernel_lines
from liveos.medium.menus.text import MOST_TEXT
from liveos.medium.model import FileRef, Image
from liveos.medium.record import RECORD_NAME, find_record
from liveos.medium.stick import OpenStick, require_image
from liveos.operations.images.menus import call, forget
from liveos.operations.images.mounted import check_change, check_own, opening, tools
from liveos.operations.images.names import check_new_name
from liveos.operations.images.plans.rubbish import clearing, lost_rubbish, removal
from liveos.operations.images.room import require_esp, size_of_boot_files
from liveos.operations.menus import syslinux_text
from liveos.operations.menus.everywhere import bios_entries
from liveos.operations.menus.renaming import renamed_menu
from liveos.operations.menus.text import image_directory, image_menu_path
from liveos.operations.plan import AnyStep, Plan
from liveos.operations.steps.images import (
    AddFile,
    AddText,
    MakeFolder,
    MoveDirectory,
    RemoveFolder,
)
from liveos.operations.steps.menus import ReplaceRecord
from liveos.operations.steps.stick import Place, ReadBack, Sync

_WRITTEN_ANEW = frozenset({"menu.cfg", "syslinux.cfg", RECORD_NAME})


@dataclass(frozen=True, slots=True)
class _Renaming:
    """An image of a stick, its name, and the one that it will have."""

    stick: OpenStick
    old: str
    new: str

    @property
    def is_moved(self) -> bool:
        """A run that was cut off has come so far that the directory has the new name."""
        link = self.stick.on_live(self.old)
        return link is not None and link.kind is FileKind.SYMLINK

    @property
    def image(self) -> Image | None:
        return self.stick.image(self.new if self.is_moved else self.old)


def plan(stick: OpenStick, name: str | None, new: str) -> Plan:
    """Call an image ``new``.

    :raises RefusedError: something has that name.
    :raises NoSpaceError: the ESP has no room for a second kernel and initramfs meanwhile.
    """
    if _is_done(stick, name, new):
        assert name is not None
        check_change(stick, name)
        return _clearing(stick, name, new)
    change = _Renaming(stick, require_image(stick, name), new)
    _require_links(stick)
    if change.old.casefold() == new.casefold():
        raise RefusedError(f"{change.old} is called so already", hint="choose another name")
    check_change(stick, change.old)
    if change.is_moved:
        check_own(stick, new)
    else:
        check_change(stick, new)
        check_new_name(stick, new)
    files = tuple(stick.esp.ref(node) for node in _boot_files(stick, change.old))
    require_esp(stick, files, new, freed=size_of_boot_files(stick, new))
    return Plan(
        title=f"rename {change.old} on {stick.path} to {new}",
        steps=(*opening(stick), *_steps(change, files)),
        destroys=() if change.is_moved else lost_rubbish(stick, new),
        needs=(DEBUGFS, MTOOLS, *tools(stick)),
        when_it_fails="the same command, given again, goes on",
    )


def _require_links(stick: OpenStick) -> None:
    if isinstance(stick.folder(""), FatFolder):
        raise UnsupportedError(
            f"{stick.path} has its images on FAT, where no link can lead from an old name to a new"
            " one: a power cut could leave an image under neither",
            hint="add it once more under the other name, and remove it then",
        )


def _is_done(stick: OpenStick, name: str | None, new: str) -> bool:
    """Whether only the old names are left to be removed."""
    return name is not None and name in stick.leftovers and stick.promised(new) is not None


def _clearing(stick: OpenStick, old: str, new: str) -> Plan:
    return Plan(
        title=f"clear what is left of {old}, which is called {new}",
        steps=(*opening(stick), *clearing(stick, old)),
        destroys=lost_rubbish(stick, old),
        needs=(DEBUGFS, MTOOLS, *tools(stick)),
    )


def _steps(change: _Renaming, files: tuple[FileRef, ...]) -> Iterator[AnyStep]:
    stick, old, new = change.stick, change.old, change.new
    if change.is_moved:
        yield from forget(stick, new)
        yield RemoveFolder(stick.boot_folder(new))
    else:
        yield from clearing(stick, new)
    yield MakeFolder(stick.boot_folder(new))
    for file in files:
        place = Place(stick.esp_volume, f"{image_directory(new)}/{posixpath.basename(file.path)}")
        yield AddFile(file, place)
    text = _menu_text(change)
    yield from _menus(change, text)
    noted = find_record(stick.esp, image_directory(old).strip("/"))
    if noted is not None:
        place = Place(stick.esp_volume, f"{image_directory(new)}/{RECORD_NAME}")
        yield AddText(place, _record_text(change, noted[1], text))
    yield Sync(stick.device)
    yield ReadBack(stick.path)
    if not change.is_moved:
        top = stick.folder("")
        assert not isinstance(top, FatFolder)  # refused
        yield MoveDirectory(top, old, new)
    yield from _noted(change, text)
    yield from call(stick, old, new)
    yield from removal(stick, old)


def _menus(change: _Renaming, text: str) -> Iterator[AddText]:
    """The image's own, for each loader that has one."""
    volume = change.stick.esp_volume
    yield AddText(Place(volume, image_menu_path(change.new)), text)
    if change.stick.syslinux is not None:
        own = syslinux_text.image_menu(change.new, bios_entries(text, image_menu_path(change.old)))
        yield AddText(Place(volume, syslinux_text.image_menu_path(change.new)), own)


def _boot_files(stick: OpenStick, name: str) -> tuple[Node, ...]:
    nodes = stick.boot_files(name)
    return tuple(node for node in nodes if node.name.casefold() not in _WRITTEN_ANEW)


def _menu_text(change: _Renaming) -> str:
    stick, old = change.stick, change.old
    node = stick.esp.find_file(image_menu_path(old))
    if node is None or node.size > MOST_TEXT:
        raise UnsupportedError(
            f"{stick.path} has no menu of {old}: {image_menu_path(old)}",
            hint="liveos inspect tells what is missing",
        )
    text = stick.esp.tree.open(node).read_at(0, node.size).decode("utf-8", "surrogateescape")
    return renamed_menu(text, old, change.new, _spellings(change.image))


def _spellings(image: Image | None) -> tuple[str, ...]:
    """The words by which the image's initramfs is told its directory."""
    best = None if image is None else best_initramfs(image.initramfs)
    return directory_words(best.dracut if best else None)


def _noted(change: _Renaming, menu: str) -> Iterator[ReplaceRecord]:
    """The record where the directory is then."""
    record = read_record(change.stick.live, change.new if change.is_moved else change.old)
    if record is not None:
        place = FolderFile(change.stick.folder(change.new), RECORD_NAME)
        yield ReplaceRecord(place, _record_text(change, record.facts, menu))


def _record_text(change: _Renaming, noted: dict[str, Any], menu: str) -> str:
    """A record with the new paths."""
    text = json.dumps(noted).replace(f"/{change.old}/", f"/{change.new}/")
    facts = {**json.loads(text), "name": change.new}
    lines = kernel_lines(menu)
    if lines:
        facts["options"] = " ".join(lines[0].options)
    return json.dumps(facts, indent=1) + "\n"
