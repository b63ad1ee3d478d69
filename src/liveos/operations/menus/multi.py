# SPDX-License-Identifier: Apache-2.0
"""One image more in the menus of a stick of livecd-iso-to-disk, as its ``--multi`` lays them out.

The image gets a directory ``/NAME`` with a ``syslinux`` in it: kernel, initramfs and a menu of its
own (livecd-tools.md 2.6). The main menu of SYSLINUX gets an entry that shows that menu; GRUB's,
which is flat, gets the entries themselves. The old tool put both first; here they come last, so
that what starts by itself stays what it was. The texts are pure: who writes them writes the
directory first, and then each menu by a `ReplaceMenu`.
"""

from dataclasses import dataclass, replace

from liveos.errors import RefusedError, UnsupportedError
from liveos.medium.menus import grub, syslinux
from liveos.medium.menus.text import kernel_line
from liveos.medium.model import Firmware, Menu
from liveos.operations.menus.owners import LONGEST
from liveos.operations.menus.text import MenuEntry, image_menu


@dataclass(frozen=True, slots=True)
class Addition:
    """An image that is to be added.

    ``entries`` have paths from the root of the filesystem, ``/NAME/syslinux/vmlinuz``. ``main`` is
    the path of the main menu of SYSLINUX, whose name the image's own gets, too; ``module`` is the
    program beside it that shows menus.
    """

    name: str
    title: str
    entries: tuple[MenuEntry, ...]
    main: str
    module: str = "vesamenu.c32"

    @property
    def menu_path(self) -> str:
        """Where the image's own menu of SYSLINUX lies."""
        return f"{boot_directory(self.name)}/{self.main.rpartition('/')[2]}"


def boot_directory(name: str) -> str:
    """Where a further image has its kernel, its initramfs and its own menu."""
    return f"/{name}/syslinux"


def own_menu(addition: Addition) -> str:
    """The image's own menu of SYSLINUX, with a way back to the main one.

    :raises UnsupportedError: SYSLINUX would not take a line in it.
    """
    if any(
        len(kernel_line((*_initrd(each), *each.options))) > LONGEST for each in addition.entries
    ):
        raise UnsupportedError(
            f"{addition.menu_path}: a kernel line would have more than {LONGEST} bytes",
            hint="give fewer words by --kernel-args",
        )
    labels = "".join(
        f"label entry{number}\n  menu label {_shown(entry.title)}\n  kernel {entry.kernel}\n"
        f"  append {kernel_line((*_initrd(entry), *entry.options))}\n\n"
        for number, entry in enumerate(addition.entries)
    )
    return (
        f"default {addition.module}\n\nmenu title {_shown(addition.title)}\n\n{labels}"
        "label multimain\n  menu label Return to the main menu\n"
        f"  kernel {addition.module}\n  append {addition.main}\n"
    )


def with_way(main: str, addition: Addition) -> str:
    """The main menu of SYSLINUX with an entry that shows the image's own.

    :raises UnsupportedError: other entries, or what starts by itself, would change with it.
    """
    title = f"{_shown(f'Go to {addition.name} ~{addition.title}')} menu"
    label = f"label {addition.name}\n  menu label {title}\n"
    new = f"{_ended(main)}\n{label}  kernel {addition.module}\n  append {addition.menu_path}\n"
    before, after = (syslinux.parse(text, addition.main) for text in (main, new))
    if addition.name.casefold() in {(each.label or "").casefold() for each in before.entries}:
        raise RefusedError(
            f"{addition.main} has an entry {addition.name}", hint="choose another name: --name NAME"
        )
    _require_the_same(before, after, 1, addition.main)
    return new


def with_entries(menu: str, path: str, addition: Addition, efi_verb: str) -> str:
    """A menu of GRUB, at ``path``, with the entries of the image, marked by its name.

    :raises UnsupportedError: other entries, or what starts by itself, would change with it.
    """
    marked = (replace(entry, title=f"{addition.name} ~{entry.title}") for entry in addition.entries)
    new = _ended(menu) + image_menu(tuple(marked), efi_verb)
    before, after = (grub.parse(text, path, firmware=Firmware.UEFI) for text in (menu, new))
    _require_the_same(before, after, len(addition.entries), path)
    return new


def _require_the_same(before: Menu, after: Menu, more: int, path: str) -> None:
    same = after.entries[: len(before.entries)] == before.entries
    if not same or len(after.entries) != len(before.entries) + more:
        raise UnsupportedError(
            f"{path}: what this menu shows would change by more than the new image",
            hint="add the entries by hand",
        )


def _initrd(entry: MenuEntry) -> tuple[str, ...]:
    return (f"initrd={','.join(entry.initrds)}",) if entry.initrds else ()


def _shown(title: str) -> str:
    """A title on its one line."""
    return "".join(sign if sign.isprintable() else " " for sign in title)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
