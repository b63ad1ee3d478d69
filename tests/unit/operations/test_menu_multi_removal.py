# SPDX-License-Identifier: Apache-2.0
"""One image less in old menus: the texts that livecd-tools.md 2.6 describes, written by hand."""

from dataclasses import replace

import pytest

from liveos.errors import RefusedError, UnsupportedError
from liveos.operations.menus.multi import own_menu, with_entries, with_way
from liveos.operations.menus.multi_removal import without_entries, without_way
from tests.unit.operations.test_menu_multi import ADDITION, GRUB, MAIN

PATH = "/syslinux/syslinux.cfg"
OLD_WAY = """\
label Rescue
  menu label ^Go to Rescue ~Fedora menu
  text help
label of no entry
  endtext
  kernel vesamenu.c32
  append /Rescue/syslinux/extlinux.conf

"""
MENU = """\
set default="{default}"
search --no-floppy --set=root -u '5A17-C0DE'
menuentry 'Rescue ~Start' {{
  linux /Rescue/syslinux/vmlinuz root=live:UUID=1 rd.live.dir=Rescue
}}
submenu 'Rescue ~More' {{
  menuentry 'Rescue ~Basic' {{
    linux /Rescue/syslinux/vmlinuz root=live:UUID=1 rd.live.dir=Rescue nomodeset
  }}
}}
menuentry 'Start' {{
  linux /syslinux/vmlinuz root=live:UUID=1
}}
menuentry 'Firmware' {{
  fwsetup
}}
"""
LEFT = """\
set default="{default}"
search --no-floppy --set=root -u '5A17-C0DE'
menuentry 'Start' {{
  linux /syslinux/vmlinuz root=live:UUID=1
}}
menuentry 'Firmware' {{
  fwsetup
}}
"""


def test_what_was_added_is_taken_away_again() -> None:
    assert without_way(with_way(MAIN, ADDITION), PATH, "Rescue") == MAIN
    added = with_entries(GRUB, "/g", ADDITION, "linuxefi")
    assert without_entries(added, "/g", "rescue") == GRUB


def test_the_way_of_the_old_tool_stands_before_all_others() -> None:
    before, mark, after = MAIN.partition("label ")
    assert without_way(f"{before}{OLD_WAY}{mark}{after}", PATH, "Rescue") == MAIN


def test_other_images_keep_their_ways() -> None:
    two = with_way(with_way(MAIN, ADDITION), replace(ADDITION, name="Rescue2"))
    left = with_way(MAIN, replace(ADDITION, name="Rescue2"))
    assert without_way(two, PATH, "Rescue") == left
    assert without_way(two, PATH, "Other") == two


@pytest.mark.parametrize(("old", "new"), [("2", "0"), ("3", "1"), ("0", "0"), ("1>0", "0")])
def test_the_default_means_the_same_entry_by_another_number(old: str, new: str) -> None:
    """Numbers of GRUB count submenus as one item; what started by itself may be what goes."""
    found = without_entries(MENU.format(default=old), "/g", "Rescue")
    assert found == LEFT.format(default=new)


def test_an_entry_that_starts_it_in_the_main_menu_is_for_its_owner_to_remove() -> None:
    mine = "label mine\n  kernel /Rescue/k\n  append root=live:UUID=1 rd.live.dir=Rescue\n"
    with pytest.raises(UnsupportedError, match="more would change"):
        without_way(with_way(MAIN, ADDITION) + mine, PATH, "Rescue")


def test_a_label_that_another_entry_has_is_no_name() -> None:
    with pytest.raises(RefusedError, match="has an entry CHECK"):
        with_way(MAIN, replace(ADDITION, name="CHECK"))


def test_a_line_that_syslinux_would_cut_off() -> None:
    (entry,) = ADDITION.entries
    long = replace(ADDITION, entries=(replace(entry, options=("x" * 2048,)),))
    with pytest.raises(UnsupportedError, match="more than 2047 bytes"):
        own_menu(long)
