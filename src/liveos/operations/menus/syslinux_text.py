# SPDX-License-Identifier: Apache-2.0
"""The boot menu of a stick for SYSLINUX: one small file, and one per image that it includes.

The language is that of SYSLINUX's ``doc/syslinux.txt`` and ``doc/menu.txt``. Paths are those of
the partition that SYSLINUX lies on.
"""

from liveos.operations.menus.text import MenuEntry, image_directory

MENU = "/syslinux/syslinux.cfg"
"""The menu of the stick."""


def image_menu_path(name: str) -> str:
    """The part of the menu that belongs to an image."""
    return f"{image_directory(name)}/syslinux.cfg"


def stick_menu(names: tuple[str, ...], timeout: int) -> str:
    """The menu of a stick with these images; the first entry of the first one is the default."""
    includes = "".join(f"INCLUDE {image_menu_path(name)}\n" for name in names)
    # Tenths of a second; 0 would wait for ever.
    return (
        "# Boot menu of a LiveOS stick. Each image has one line here, and a menu of its own.\n"
        "UI menu.c32\n"
        "MENU TITLE LiveOS\n"
        f"DEFAULT {label(names[0], 0)}\n"
        f"TIMEOUT {timeout * 10 or 1}\n"
        f"{includes}"
    )


def image_menu(name: str, entries: tuple[MenuEntry, ...]) -> str:
    """The menu of one image."""
    return "".join(_entry(label(name, number), entry) for number, entry in enumerate(entries))


def label(name: str, number: int | str) -> str:
    """What the main menu calls an entry of an image."""
    return f"{name}-{number}"


def _entry(name: str, entry: MenuEntry) -> str:
    title = "".join(sign if sign.isprintable() and sign != "^" else " " for sign in entry.title)
    lines = [f"LABEL {name}", f"  MENU LABEL {title}", f"  LINUX {entry.kernel}"]
    if entry.initrds:
        lines.append(f"  INITRD {','.join(entry.initrds)}")
    return "\n".join([*lines, f"  APPEND {' '.join(entry.options)}", ""])
