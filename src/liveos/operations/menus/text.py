# SPDX-License-Identifier: Apache-2.0
"""The boot menu of a stick: one small grub.cfg, and one file per image that it sources.

Both lie on the ESP and serve BIOS (our own core image) and UEFI (the image's own signed GRUB)
alike. Fedora's signed GRUB reads ``grub.cfg`` in the directory it was started from, Debian's falls
back to it (images.md 2.5, 2.6). Only commands that all of them have built in are used: under
Secure Boot nothing can be loaded from a file.
"""

from dataclasses import dataclass

MENU = "/EFI/BOOT/grub.cfg"
"""The menu of the stick, on the ESP."""

DEBIAN_MENU = "/boot/grub/grub.cfg"
"""Where the signed GRUB of Debian 13 and later looks on the ESP: started by shim, it does not know
the directory that it was started from (its ``$cmdpath`` is empty; seen with 2.12-9+deb13u2)."""

DEBIAN_MENU_TEXT = f"source ($root){MENU}\n"

DIRECTORY = "/liveos"
"""Where each image has a directory for its kernel, its initramfs and its part of the menu."""


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """An entry of an image's menu. ``kernel`` and ``initrds`` are paths on the ESP."""

    title: str
    kernel: str
    initrds: tuple[str, ...]
    options: tuple[str, ...]


def image_directory(name: str) -> str:
    """Where on the ESP an image has its boot files."""
    return f"{DIRECTORY}/{name}"


def image_menu_path(name: str) -> str:
    """The part of the menu that belongs to an image."""
    return f"{image_directory(name)}/menu.cfg"


def stick_menu(names: tuple[str, ...], esp_uuid: str, timeout: int) -> str:
    """The menu of a stick with these images; the first entry of the first one is the default."""
    sources = "".join(f"source ($root){image_menu_path(name)}\n" for name in names)
    return (
        "# Boot menu of a LiveOS stick. Each image has one line here, and a menu of its own.\n"
        f"search --no-floppy --fs-uuid --set=root {esp_uuid}\n"
        "set default=0\n"
        f"set timeout={timeout}\n"
        f"{sources}"
    )


def image_menu(entries: tuple[MenuEntry, ...], efi_verb: str) -> str:
    """The menu of one image.

    ``efi_verb`` is the command by which the image's own GRUB starts a kernel under UEFI: ``linux``,
    or ``linuxefi`` (with ``initrdefi``) in older ones. Our GRUB for BIOS knows only ``linux``.
    """
    return "".join(_entry(entry, efi_verb) for entry in entries)


def _entry(entry: MenuEntry, efi_verb: str) -> str:
    lines = _start(entry, "")
    if efi_verb != "linux":
        efi = _start(entry, efi_verb.removeprefix("linux"))
        condition = 'if [ "$grub_platform" = "efi" ]; then'
        lines = [condition, *_indented(efi), "else", *_indented(lines), "fi"]
    title = "".join(sign if sign.isprintable() else " " for sign in entry.title)
    return "\n".join([f"menuentry {quote(title, always=True)} {{", *_indented(lines), "}", ""])


def _start(entry: MenuEntry, suffix: str) -> list[str]:
    """The commands that load kernel and initramfs; ``suffix`` is that of ``linuxefi``."""
    lines = [" ".join((f"linux{suffix}", *map(quote, (entry.kernel, *entry.options))))]
    if entry.initrds:
        lines.append(" ".join((f"initrd{suffix}", *map(quote, entry.initrds))))
    return lines


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%^~")


def quote(word: str, *, always: bool = False) -> str:
    """A word as GRUB's shell must see it; in single quotes nothing but the quote is special."""
    if word and not always and _PLAIN.issuperset(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"
