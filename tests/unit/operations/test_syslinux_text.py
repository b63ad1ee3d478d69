# SPDX-License-Identifier: Apache-2.0
"""Menus for SYSLINUX, as its documentation says them."""

from liveos.operations.menus.syslinux_text import image_menu, stick_menu
from liveos.operations.menus.text import MenuEntry

ENTRIES = (
    MenuEntry("Start ^it", "/liveos/f36/vmlinuz", ("/liveos/f36/a.img", "/liveos/f36/b.img"),
              ("root=live:UUID=1", "quiet")),
    MenuEntry("Plain", "/liveos/f36/vmlinuz", (), ("ro",)),
)  # fmt: skip


def test_an_image_has_labels_of_its_own() -> None:
    assert image_menu("f36", ENTRIES) == (
        "LABEL f36-0\n"
        "  MENU LABEL Start  it\n"
        "  LINUX /liveos/f36/vmlinuz\n"
        "  INITRD /liveos/f36/a.img,/liveos/f36/b.img\n"
        "  APPEND root=live:UUID=1 quiet\n"
        "LABEL f36-1\n"
        "  MENU LABEL Plain\n"
        "  LINUX /liveos/f36/vmlinuz\n"
        "  APPEND ro\n"
    )


def test_the_stick_includes_each_image() -> None:
    text = stick_menu(("f36", "other"), 5)
    assert text.splitlines()[1:] == [
        "UI menu.c32",
        "MENU TITLE LiveOS",
        "DEFAULT f36-0",
        "TIMEOUT 50",
        "INCLUDE /liveos/f36/syslinux.cfg",
        "INCLUDE /liveos/other/syslinux.cfg",
    ]
    assert "TIMEOUT 1\n" in stick_menu(("f36",), 0)
