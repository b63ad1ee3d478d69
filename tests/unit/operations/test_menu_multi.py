# SPDX-License-Identifier: Apache-2.0
"""One image more in old menus: the texts that livecd-tools.md 2.6 describes, written by hand."""

import pytest

from liveos.errors import UnsupportedError
from liveos.medium.menus import grub, syslinux
from liveos.medium.model import Firmware
from liveos.operations.menus.multi import Addition, own_menu, with_entries, with_way
from liveos.operations.menus.text import MenuEntry
from tests.images import menus
from tests.images.recipes import NESTED

BOOT = "/Rescue/syslinux"
OPTIONS = ("root=live:UUID=5A17-C0DE", "rd.live.image", "rw", "rd.live.dir=Rescue")
START = MenuEntry("Start Rescue", f"{BOOT}/vmlinuz", (f"{BOOT}/initrd.img",), OPTIONS)
ADDITION = Addition("Rescue", "Rescue 12", (START,), "/syslinux/syslinux.cfg")
MAIN = menus.render(NESTED, "isolinux.cfg")
GRUB = menus.render(NESTED, "efi-grub.cfg")

OWN = """\
default vesamenu.c32

menu title Rescue 12

label entry0
  menu label Start Rescue
  kernel /Rescue/syslinux/vmlinuz
  append initrd=/Rescue/syslinux/initrd.img root=live:UUID=5A17-C0DE rd.live.image rw @DIR@

label multimain
  menu label Return to the main menu
  kernel vesamenu.c32
  append /syslinux/syslinux.cfg
"""
WAY = """\

label Rescue
  menu label Go to Rescue ~Rescue 12 menu
  kernel vesamenu.c32
  append /Rescue/syslinux/syslinux.cfg
"""
ENTRY = """\
menuentry 'Rescue ~Start Rescue' {
  if [ "$grub_platform" = "efi" ]; then
    linuxefi /Rescue/syslinux/vmlinuz root=live:UUID=5A17-C0DE rd.live.image rw rd.live.dir=Rescue
    initrdefi /Rescue/syslinux/initrd.img
  else
    linux /Rescue/syslinux/vmlinuz root=live:UUID=5A17-C0DE rd.live.image rw rd.live.dir=Rescue
    initrd /Rescue/syslinux/initrd.img
  fi
}
"""


def test_the_texts() -> None:
    assert own_menu(ADDITION) == OWN.replace("@DIR@", "rd.live.dir=Rescue")
    assert with_way(MAIN, ADDITION) == MAIN + WAY
    assert with_entries(GRUB, "/EFI/BOOT/grub.cfg", ADDITION, "linuxefi") == GRUB + ENTRY


def test_menus_with_it_are_read_as_before_and_with_one_more() -> None:
    """By the reader of `inspect`, whose own tests are those of real menus."""
    new = with_way(MAIN, ADDITION)
    files = {ADDITION.menu_path: own_menu(ADDITION)}
    before, after = (
        syslinux.parse(MAIN, ADDITION.main),
        syslinux.parse(new, ADDITION.main, read=files.get),
    )
    assert after.entries[: len(before.entries)] == before.entries
    start, back = after.entries[len(before.entries) :]
    assert (start.kernel, start.initrd) == (START.kernel, START.initrds)
    assert (start.options, start.default) == (OPTIONS, False)
    assert start.submenu == ("Go to Rescue ~Rescue 12 menu",)
    assert back.command == "vesamenu.c32"
    menu = grub.parse(with_entries(GRUB, "/g", ADDITION, "linuxefi"), "/g", firmware=Firmware.UEFI)
    assert (menu.entries[-1].kernel, menu.entries[-1].options) == (START.kernel, OPTIONS)


def test_a_menu_that_would_swallow_it_is_left_alone() -> None:
    with pytest.raises(UnsupportedError, match="more than the new image"):
        with_way(f"{MAIN}text help\n", ADDITION)


def test_a_title_has_one_line() -> None:
    odd = Addition("Rescue", "a\nlabel evil", (START,), "/syslinux/extlinux.conf")
    assert "menu title a label evil\n" in own_menu(odd)
    assert odd.menu_path == "/Rescue/syslinux/extlinux.conf"
