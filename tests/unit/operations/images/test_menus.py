# SPDX-License-Identifier: Apache-2.0
"""The menu of a stick with several images, and that of an image which gets another name."""

import pytest

from liveos.medium.menus import grub
from liveos.medium.model import Firmware
from liveos.operations.menus import stick as texts
from liveos.operations.menus.renaming import renamed_menu, renamed_word
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
    assert started(texts.with_image(TWO, "C")) == ["A", "B", "C"]
    assert started(texts.with_image(TWO + OWN, "C")) == ["A", "B", "C", "Mine"]
    empty = stick_menu((), "1A2B-3C4D", 5)
    assert texts.with_image(empty, "A") == stick_menu(("A",), "1A2B-3C4D", 5)


def test_what_is_not_an_image_keeps_every_byte() -> None:
    mine = TWO.replace("timeout=5", "timeout=9") + OWN
    assert texts.without_image(texts.with_image(mine, "C"), "C") == mine


def test_without_an_image_no_number_means_another_entry() -> None:
    text = TWO.replace("set default=0", "set default=4")
    assert texts.without_image(text, "A") == stick_menu(("B",), "1A2B-3C4D", 5)


@pytest.mark.parametrize("text", [TWO, TWO.replace("set default=0", "set default=4")])
def test_the_first_one_starts_by_itself(text: str) -> None:
    assert texts.with_first(text, "B") == stick_menu(("B", "A"), "1A2B-3C4D", 5)
    assert texts.with_first(TWO, "A") == TWO


def test_names_that_begin_alike_are_not_mixed_up() -> None:
    text = stick_menu(("A", "A.b", "AXb"), "1A2B-3C4D", 5)
    assert started(texts.without_image(text, "A.b")) == ["A", "AXb"]
    assert started(texts.with_name(text, "A", "Z")) == ["Z", "A.b", "AXb"]


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
