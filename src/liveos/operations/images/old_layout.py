# SPDX-License-Identifier: Apache-2.0
"""The steps for an image more, or less, on a stick of livecd-iso-to-disk, in its own layout.

Added: the mark that says that it is under way; then all that lies in the image's directory; when
that has been read back, each menu; and the mark goes. Removed: the mark, each menu, the directory,
the mark. So wherever a run is cut off, each menu is the old one or the new one, and what one of
them starts is whole.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from liveos.errors import RefusedError, UnsupportedError
from liveos.host.volumes import Ext4Volume
from liveos.medium.menus import syslinux
from liveos.medium.old_stick import LOADER_DIRECTORY, MARKS, MainMenu, OldStick
from liveos.medium.owners_menus import starts_image
from liveos.operations.images.addition import Addition, contents, source_check
from liveos.operations.images.plans.remove import update_removal
from liveos.operations.menus import multi
from liveos.operations.menus.multi_removal import without_entries, without_way
from liveos.operations.menus.text import MenuEntry
from liveos.operations.plan import AnyStep
from liveos.operations.steps.images import AddText, MakeFolder, RemoveFile, RemoveFolder
from liveos.operations.steps.menus import NEW, ReplaceMenu
from liveos.operations.steps.stick import Place, ReadBack, Sync

_TITLE = re.compile(r"(?im)^[ \t]*menu[ \t]+title[ \t]+(\S.*?)[ \t\r]*$")


@dataclass(frozen=True, slots=True)
class Shown:
    """What menus say of an image: its title and its entries."""

    name: str
    title: str
    entries: tuple[MenuEntry, ...]
    efi_verb: str


def boot_path(name: str, payload_path: str) -> str:
    """Where a boot file lies that our layout would have at ``payload_path``."""
    return f"{multi.boot_directory(name)}/{payload_path.rpartition('/')[2]}"


def shown_by(addition: Addition) -> Shown:
    """What the menus will say of an image that is added.

    :raises UnsupportedError: no words of theirs lead its initramfs to another directory.
    """
    wanted = addition.wanted
    if not all(starts_image(entry.options, addition.name) for entry in wanted.entries):
        raise UnsupportedError(
            f"the initramfs of {wanted.payload.image.name} looks for its root in the first image's"
            " directory alone",
            hint="install it on a stick of its own",
        )
    title = wanted.source.label or wanted.source.path.stem
    return Shown(addition.name, title, wanted.entries, wanted.payload.efi_verb)


def shown_already(stick: OldStick, name: str, efi_verb: str) -> Shown:
    """What the image's own menu says of it, whose directory is whole.

    :raises RefusedError: it has none.
    """
    for main in main_paths(stick):
        path = f"{multi.boot_directory(name)}/{main.rpartition('/')[2]}"
        text = stick.read(path)
        if text is not None:
            title = _TITLE.search(text)
            entries = tuple(
                MenuEntry(entry.title, entry.kernel, entry.initrd, entry.options)
                for entry in syslinux.parse(text, path).entries
                if entry.kernel and starts_image(entry.options, name)
            )
            return Shown(name, title[1] if title else name, entries, efi_verb)
    raise RefusedError(
        f"{name} on {stick.path} was not wholly added, and has no menu of its own",
        hint=f"liveos remove {stick.path}:{name} clears it",
    )


def main_paths(stick: OldStick) -> tuple[str, ...]:
    """The main menus of SYSLINUX; where none starts an image, the place that one would have."""
    # Of two with the same name, the image's own leads back to the one that is read first.
    paths = (menu.path for menu in reversed(stick.menus) if menu.is_syslinux)
    found = tuple({path.rpartition("/")[2].casefold(): path for path in paths}.values())
    name = "extlinux.conf" if isinstance(stick.live_volume, Ext4Volume) else "syslinux.cfg"
    return found or (f"{LOADER_DIRECTORY}/{name}",)


def addition_steps(addition: Addition, stick: OldStick) -> Iterator[AnyStep]:
    """Everything that is done to add an image, in order."""
    wanted, name, shown = addition.wanted, addition.name, shown_by(addition)
    yield from source_check(wanted)
    yield MakeFolder(stick.mark(name))
    if stick.is_marked(name):
        yield RemoveFolder(stick.folder(name))
    yield MakeFolder(stick.folder(name))
    yield MakeFolder(stick.folder(multi.boot_directory(name).lstrip("/")))
    yield from contents(addition, wanted.live)
    for main in main_paths(stick):
        own = _texts(shown, main, stick)
        yield AddText(Place(wanted.live, own.menu_path), multi.own_menu(own))
    yield Sync(stick.path)
    yield ReadBack(stick.path)
    yield from leading_steps(stick, shown)


def leading_steps(stick: OldStick, shown: Shown) -> Iterator[AnyStep]:
    """Each menu gets its way to an image that is whole; then nothing is under way."""
    for menu in stick.menus:
        if not menu.leads_to(shown.name):
            yield ReplaceMenu(menu.place, _with_image(menu, shown, stick))
        else:
            yield from _clearing(menu)
    yield from _ended(stick, shown.name)


def removal_steps(stick: OldStick, name: str) -> Iterator[AnyStep]:
    """Everything that is done to remove an image, or what is left of one, in order."""
    yield MakeFolder(stick.mark(name))
    for menu in stick.menus:
        if menu.leads_to(name):
            change = without_way if menu.is_syslinux else without_entries
            yield ReplaceMenu(menu.place, change(menu.text, menu.path, name))
        else:
            yield from _clearing(menu)
    yield RemoveFolder(stick.folder(name))
    yield from update_removal(stick, name)
    yield from _ended(stick, name)


def _clearing(menu: MainMenu) -> Iterator[RemoveFile]:
    """What a run that was cut off has left beside a menu that it had changed already."""
    if menu.place.name + NEW in menu.beside:
        yield RemoveFile(menu.place.beside(NEW))


def _with_image(menu: MainMenu, shown: Shown, stick: OldStick) -> str:
    if menu.is_syslinux:
        return multi.with_way(menu.text, _texts(shown, menu.path, stick))
    addition = _texts(shown, main_paths(stick)[0], stick)
    return multi.with_entries(menu.text, menu.path, addition, shown.efi_verb)


def _texts(shown: Shown, main: str, stick: OldStick) -> multi.Addition:
    return multi.Addition(shown.name, shown.title, shown.entries, main, stick.module)


def _ended(stick: OldStick, name: str) -> Iterator[RemoveFolder]:
    """The mark goes, and the directory of marks with the last one."""
    yield RemoveFolder(stick.mark(name))
    if not [each for each in stick.leftovers if each.casefold() != name.casefold()]:
        yield RemoveFolder(stick.folder(MARKS.lstrip("/")))
