# SPDX-License-Identifier: Apache-2.0
"""The menus of a stick learn of an image, forget it, or call it otherwise.

What GRUB's names is promised. Where SYSLINUX has a menu, too, a run that is cut off between the two
must find out: SYSLINUX learns first and forgets last, so that whatever its menu alone names is
what is left of an image (`OpenStick.leftovers`).
"""

from collections.abc import Iterator

from liveos.medium.stick import OpenStick
from liveos.medium.stick_menu import StickMenu
from liveos.operations.menus.stick import GRUB, SYSLINUX
from liveos.operations.steps.menus import ReplaceMenu


def learn(stick: OpenStick, name: str) -> Iterator[ReplaceMenu]:
    """An image more; what a menu had of that name before is cleared by then."""
    if stick.syslinux is not None:
        before = SYSLINUX.without_image(stick.syslinux.text, name)
        yield ReplaceMenu(stick.syslinux.place, SYSLINUX.with_image(before, name))
    yield ReplaceMenu(stick.menu.place, GRUB.with_image(stick.menu.text, name))


def forget(stick: OpenStick, name: str) -> Iterator[ReplaceMenu]:
    """An image less; nothing where no menu names it."""
    yield from _change(stick.menu, GRUB.without_image(stick.menu.text, name))
    if stick.syslinux is not None:
        yield from _change(stick.syslinux, SYSLINUX.without_image(stick.syslinux.text, name))


def start_first(stick: OpenStick, name: str) -> Iterator[ReplaceMenu]:
    """Another image before all others; nothing where it is there already."""
    yield from _change(stick.menu, GRUB.with_first(stick.menu.text, name))
    if stick.syslinux is not None:
        yield from _change(stick.syslinux, SYSLINUX.with_first(stick.syslinux.text, name))


def call(stick: OpenStick, old: str, new: str) -> Iterator[ReplaceMenu]:
    """Another name, while both lead to the image; SYSLINUX has both while GRUB's changes."""
    if stick.syslinux is None:
        yield ReplaceMenu(stick.menu.place, GRUB.with_name(stick.menu.text, old, new))
        return
    before = SYSLINUX.without_image(stick.syslinux.text, new)
    yield ReplaceMenu(stick.syslinux.place, SYSLINUX.with_image(before, new))
    yield ReplaceMenu(stick.menu.place, GRUB.with_name(stick.menu.text, old, new))
    yield ReplaceMenu(stick.syslinux.place, SYSLINUX.with_name(before, old, new))


def _change(menu: StickMenu, text: str) -> Iterator[ReplaceMenu]:
    if text != menu.text:
        yield ReplaceMenu(menu.place, text)
