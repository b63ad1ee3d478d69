# SPDX-License-Identifier: Apache-2.0
"""Menus of other makers: words change on the lines of one image, and nothing else does."""

from dataclasses import replace
from pathlib import Path

import pytest

from liveos.errors import UnsupportedError
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.medium.installed import Installed
from liveos.medium.model import PersistenceKind
from liveos.medium.owners_menus import OwnersMenu, OwnersMenus
from liveos.operations.menus.owners import Words, changed, overlay_words, remembering

UUID = "5A17-C0DE"
ROOT = f"root=live:UUID={UUID} rootfstype=vfat rw rd.live.image"
HOLDER = HostFolder(Path("/stick"))
SYSLINUX = f"""\
# mine \udcff
default vesamenu.c32
label linux\r
  kernel vmlinuz
  append initrd=initrd.img {ROOT}  quiet  # no comment here\r
label other
  kernel /Rescue/vmlinuz
  append initrd=/Rescue/i {ROOT} rd.live.dir=Rescue
label local
  localboot 0xffff
"""
GRUB = f"""\
# mine \udcff
menuentry 'Start' {{
	linuxefi  /syslinux/vmlinuz {ROOT} "a  b" quiet # why
	initrdefi /syslinux/initrd.img
}}
menuentry 'Rescue ~Start' {{ linux /Rescue/vmlinuz {ROOT} rd.live.dir=Rescue; initrd /i; }}
"""
INSTALLED = Installed(
    uuid=UUID, label="LIVE", filesystem="vfat", flat=False, dracut_version="059",
    overlay=PersistenceKind.SNAPSHOT,
)  # fmt: skip
PLACE = f"rd.live.overlay=UUID={UUID}:/LiveOS/overlay-LIVE-{UUID}"


def menu(text: str, directory: str = "LiveOS") -> OwnersMenu:
    name = "grub.cfg" if text.startswith(GRUB[:40]) or "menuentry" in text else "syslinux.cfg"
    return OwnersMenu(FolderFile(HOLDER, name), f"/{name}", text, directory)


def texts(menus: OwnersMenus, words: Words) -> list[str]:
    return [step.text for step in changed(menus, words)]


@pytest.mark.parametrize("text", [SYSLINUX, GRUB], ids=["syslinux", "grub"])
@pytest.mark.parametrize("directory", ["LiveOS", "Rescue"])
def test_words_come_last_on_the_lines_of_the_image(text: str, directory: str) -> None:
    (new,) = texts(OwnersMenus((menu(text, directory),)), Words(("x=1", "y")))
    ends = {
        "LiveOS": ("no comment here\r", "quiet # why"),
        "Rescue": ("rd.live.dir=Rescue\n", "rd.live.dir=Rescue;"),
    }
    syslinux, grub = ends[directory]
    end = syslinux if text is SYSLINUX else grub
    word = end.split("\r")[0].split("\n")[0].split(";")[0].split(" #")[0]
    assert new == text.replace(end, end.replace(word, f"{word} x=1 y", 1))


@pytest.mark.parametrize("text", [SYSLINUX, GRUB], ids=["syslinux", "grub"])
def test_dropping_what_was_added_gives_the_old_text(text: str) -> None:
    file = menu(text)
    (new,) = texts(OwnersMenus((file,)), Words(("x=1",)))
    (old,) = texts(OwnersMenus((replace(file, text=new),)), Words(drop=lambda word: word == "x=1"))
    assert old == text
    assert texts(OwnersMenus((file,)), Words(drop=lambda word: word == "x=1")) == []


def test_an_entry_with_a_line_for_each_firmware_gets_the_words_on_both() -> None:
    both = GRUB.replace(
        "\tinitrdefi", f"if [ a = b ]; then\nlinux /k {ROOT} quiet\nfi\n\tinitrdefi"
    )
    (new,) = texts(OwnersMenus((menu(both),)), Words(("x=1",)))
    assert new == both.replace("quiet", "quiet x=1")


def test_lines_that_are_left_out() -> None:
    assert texts(OwnersMenus((menu(GRUB),)), Words(("x",), only=lambda _: False)) == []


def test_the_overlay_is_named_and_forgotten_in_every_menu() -> None:
    files = OwnersMenus((menu(SYSLINUX), menu(GRUB)))
    steps = remembering(files, INSTALLED)
    assert [step.text.count(PLACE) for step in steps] == [1, 1]
    after = OwnersMenus(tuple(menu(step.text) for step in steps))
    assert remembering(after, INSTALLED) == ()
    forgotten = remembering(after, replace(INSTALLED, overlay=None))
    assert [step.text for step in forgotten] == [SYSLINUX, GRUB]


def test_a_menu_that_remembers_somewhere_is_its_owners() -> None:
    """Of two entries, one was made to forget; a menu without any word was not reached yet."""
    both = SYSLINUX.replace(" rd.live.dir=Rescue", "")
    (half,) = texts(OwnersMenus((menu(both),)), Words((PLACE,), only=lambda line: "quiet" in line))
    assert half.count(PLACE) == 1
    (step,) = remembering(OwnersMenus((menu(half), menu(GRUB))), INSTALLED)
    assert step.place.name == "grub.cfg"


def test_other_kinds_have_other_words() -> None:
    words = overlay_words(replace(INSTALLED, overlay=PersistenceKind.IMAGE))
    assert words == (PLACE, "rd.live.overlay.overlayfs=1")
    flat = replace(INSTALLED, overlay=None, flat=True)
    assert overlay_words(flat) == ("rd.live.overlay.overlayfs=1",)


def test_a_line_that_would_be_too_long_is_not_changed() -> None:
    file = menu(SYSLINUX.replace("quiet", "x" * 2047))
    with pytest.raises(UnsupportedError, match="2047"):
        changed(OwnersMenus((file,)), Words(("x",)))


def test_a_change_that_would_be_more_than_words_is_not_made() -> None:
    """To SYSLINUX, this word is the name of a file."""
    with pytest.raises(UnsupportedError, match="plain"):
        changed(OwnersMenus((menu(SYSLINUX),)), Words(("initrd=other",)))


def test_a_known_problem_is_said() -> None:
    with pytest.raises(UnsupportedError, match="only a part"):
        changed(OwnersMenus((menu(GRUB),), "only a part"), Words(("x",)))
