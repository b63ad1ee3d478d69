# SPDX-License-Identifier: Apache-2.0
"""The menu of a stick with several images, and that of an image which gets another name."""

import pytest

from liveos.medium.menus import grub, syslinux
from liveos.medium.model import Firmware
from liveos.operations.menus import syslinux_text
from liveos.operations.menus.renaming import renamed_menu, renamed_word
from liveos.operations.menus.stick import GRUB, SYSLINUX
from liveos.operations.menus.text import stick_menu

TWO = stick_menu(("A", "B"), "1A2B-3C4D", 5)
OWN = "menuentry 'Mine' {\n  chainloader /x\n}\n"


def started(menu: str) -> list[str]:
    """What GRUB would list, where the menu of each image has one entry of its name."""

    def read(path: str) -> str | None:
        name = path.split("/")[2]
        return f"menuentry '{name}' {{\n linux /{name}\n}}\n"

    found = grub.parse(menu, "/EFI/BOOT/grub.cfg", firmware=Firmware.UEFI, read=read)
    return [entry.title for entry in found.entries]


def test_another_image_stands_behind_the_others() -> None:
    assert started(GRUB.with_image(TWO, "C")) == ["A", "B", "C"]
    assert started(GRUB.with_image(TWO + OWN, "C")) == ["A", "B", "C", "Mine"]
    empty = stick_menu((), "1A2B-3C4D", 5)
    assert GRUB.with_image(empty, "A") == stick_menu(("A",), "1A2B-3C4D", 5)


def test_what_is_not_an_image_keeps_every_byte() -> None:
    mine = TWO.replace("timeout=5", "timeout=9") + OWN
    assert GRUB.without_image(GRUB.with_image(mine, "C"), "C") == mine


def test_without_an_image_no_number_means_another_entry() -> None:
    text = TWO.replace("set default=0", "set default=4")
    assert GRUB.without_image(text, "A") == stick_menu(("B",), "1A2B-3C4D", 5)


@pytest.mark.parametrize("text", [TWO, TWO.replace("set default=0", "set default=4")])
def test_the_first_one_starts_by_itself(text: str) -> None:
    assert GRUB.with_first(text, "B") == stick_menu(("B", "A"), "1A2B-3C4D", 5)
    assert GRUB.with_first(TWO, "A") == TWO


def test_names_that_begin_alike_are_not_mixed_up() -> None:
    text = stick_menu(("A", "A.b", "AXb"), "1A2B-3C4D", 5)
    assert started(GRUB.without_image(text, "A.b")) == ["A", "AXb"]
    assert started(GRUB.with_name(text, "A", "Z")) == ["Z", "A.b", "AXb"]


MENU = """menuentry 'Start it [Old]' {
  if [ "$grub_platform" = "efi" ]; then
    linuxefi /liveos/Old/vmlinuz root=live:UUID=1 quiet rw rd.live.dir=Old x=/Older/
    initrdefi /liveos/Old/initrd.img
  else
    linux /liveos/Old/vmlinuz root=live:UUID=1 quiet rw rd.live.dir=Old x=/Older/
    initrd /liveos/Old/initrd.img
  fi
}
"""


def test_a_menu_gets_the_new_name_everywhere() -> None:
    assert renamed_menu(MENU, "Old", "New", ("rd.live.dir",)) == MENU.replace(
        "/Old/", "/New/"
    ).replace("=Old", "=New").replace("[Old]", "[New]")


def test_the_usual_directory_needs_no_word_and_others_do() -> None:
    usual = renamed_menu(MENU, "Old", "LiveOS", ("rd.live.dir",))
    assert "rd.live.dir" not in usual
    assert renamed_menu(usual, "LiveOS", "Old", ("rd.live.dir",)) == MENU
    both = renamed_menu(usual, "LiveOS", "Old", ("live_dir", "rd.live.dir"))
    assert "rw live_dir=Old rd.live.dir=Old x=/Older/\n" in both


@pytest.mark.parametrize(
    ("word", "new"),
    [
        ("rd.live.overlay=UUID=1:/Old/overlay-A-1", "rd.live.overlay=UUID=1:/New/overlay-A-1"),
        ("liveos.home=/Old/home.img", "liveos.home=/New/home.img"),
        ("liveos.home=UUID=/Old", "liveos.home=UUID=/Old"),
        (
            "systemd.mount-extra=/run/initramfs/live/Old/home.img:/home:ext4:loop",
            "systemd.mount-extra=/run/initramfs/live/New/home.img:/home:ext4:loop",
        ),
        ("init=/sbin/Old/init", "init=/sbin/Old/init"),
        ("root=live:/Old/x", "root=live:/Old/x"),
        ("quiet", "quiet"),
    ],
)
def test_only_paths_of_the_image_change(word: str, new: str) -> None:
    assert renamed_word(word, "Old", "New") == new


class TestSyslinux:
    TWO = syslinux_text.stick_menu(("A", "B"), 5)
    OWN = "LABEL mine\n  COM32 reboot.c32\n"

    def started(self, menu: str) -> list[str]:
        """What SYSLINUX would list, where the menu of each image has one entry of its name."""

        def read(path: str) -> str | None:
            name = path.split("/")[2]
            return f"LABEL {name}-0\n MENU LABEL {name}\n LINUX /{name}\n"

        found = syslinux.parse(menu, "/syslinux/syslinux.cfg", firmware=Firmware.BIOS, read=read)
        return [entry.title + "*" * entry.default for entry in found.entries if entry.kernel]

    def test_another_image_stands_behind_the_others(self) -> None:
        assert self.started(SYSLINUX.with_image(self.TWO, "C")) == ["A*", "B", "C"]
        empty = SYSLINUX.without_image(syslinux_text.stick_menu(("A",), 5), "A")
        assert self.started(SYSLINUX.with_image(empty, "C")) == ["C*"]

    def test_what_is_not_an_image_keeps_every_byte(self) -> None:
        mine = self.TWO.replace("TIMEOUT 50", "TIMEOUT 0") + self.OWN
        assert SYSLINUX.without_image(SYSLINUX.with_image(mine, "C"), "C") == mine

    def test_the_default_is_one_that_is_there(self) -> None:
        assert self.started(SYSLINUX.without_image(self.TWO, "A")) == ["B*"]
        assert self.started(SYSLINUX.with_first(self.TWO, "B")) == ["B*", "A"]
        assert self.started(SYSLINUX.with_name(self.TWO, "A", "Z")) == ["Z*", "B"]

    def test_the_owner_has_chosen_another_entry(self) -> None:
        chosen = self.TWO.replace("DEFAULT A-0", "DEFAULT B-3")
        assert "\nDEFAULT Z-3\n" in SYSLINUX.with_name(chosen, "B", "Z")
        assert "\nDEFAULT B-3\n" in SYSLINUX.with_name(chosen, "A", "Z")
        assert "\nDEFAULT B-3\n" in SYSLINUX.with_image(chosen, "C")

    def test_names_that_begin_alike_are_not_mixed_up(self) -> None:
        menu = syslinux_text.stick_menu(("A-1", "A", "A.b", "AXb"), 5)
        assert self.started(SYSLINUX.without_image(menu, "A.b")) == ["A-1*", "A", "AXb"]
        assert self.started(SYSLINUX.with_name(menu, "A", "Z")) == ["A-1*", "Z", "A.b", "AXb"]
