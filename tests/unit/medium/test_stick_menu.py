# SPDX-License-Identifier: Apache-2.0
"""Which menus are those of a stick of ours, and which images they promise."""

from pathlib import Path

from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.medium.stick_menu import StickMenu, is_our_menu
from liveos.operations.menus.text import stick_menu


def menu(text: str) -> StickMenu:
    return StickMenu(FolderFile(HostFolder(Path("/")), "grub.cfg"), text)


def test_what_liveos_writes_is_ours() -> None:
    found = menu(stick_menu(("LiveOS", "Other.1"), "ABCD-1234", 5))
    assert found.is_ours
    assert found.names == ("LiveOS", "Other.1")
    assert menu(stick_menu((), "ABCD-1234", 5)).is_ours


def test_what_its_owner_has_changed_stays_ours() -> None:
    """As long as it has the line of an image; other lines are no images."""
    text = "set timeout=9\nsource ($root)/liveos/A/menu.cfg \nsource ($root)/mine/menu.cfg\n"
    assert menu(text).is_ours
    assert menu(text).names == ("A",)


def test_what_is_others() -> None:
    assert not is_our_menu("menuentry 'x' {\n  linux /casper/vmlinuz\n}\n")
    assert not is_our_menu("# source ($root)/liveos/A/menu.cfg\n")
    assert is_our_menu("INCLUDE /liveos/A/syslinux.cfg\n")
