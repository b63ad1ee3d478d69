# SPDX-License-Identifier: Apache-2.0
"""Menus changed: what is asked for changes, and no other byte.

What a menu says afterwards is compared with what an installation of that kind writes.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from liveos.errors import UnsupportedError
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.medium.bootline import Installed
from liveos.medium.image_menu import ImageMenu
from liveos.medium.menus import grub
from liveos.medium.model import Firmware, PersistenceKind
from liveos.operations.install.payload import menu_entries, payload_of
from liveos.operations.menus.change import change_words, remembering
from liveos.operations.menus.text import image_menu
from liveos.operations.steps.menus import ReplaceMenu, ReplaceRecord, encoded
from tests.unit.operations import sources

UUID = "3d5c1f6a-0000-4000-8000-000000000001"
PLACE = FolderFile(HostFolder(Path("/esp/liveos/LiveOS")), "menu.cfg")
FORGETFUL = Installed(uuid=UUID, label="LIVE", flat=False, dracut_version="059")
SNAPSHOT = replace(FORGETFUL, overlay=PersistenceKind.SNAPSHOT)
DIRECTORY = replace(FORGETFUL, overlay=PersistenceKind.DIRECTORY)
READ_ONLY = replace(SNAPSHOT, readonly=True)
DIRECT = replace(FORGETFUL, overlay=PersistenceKind.DIRECT, image="rootfs.img")
MANNERS = {
    "none": FORGETFUL,
    "snapshot": SNAPSHOT,
    "directory": DIRECTORY,
    "read-only": READ_ONLY,
    "direct": DIRECT,
}
VERBS = ["linux", "linuxefi"]


def menu_of(text: str) -> ImageMenu:
    entries = grub.parse(text, "/liveos/LiveOS/menu.cfg", firmware=Firmware.UEFI).entries
    return ImageMenu(PLACE, text, entries)


def written(installed: Installed, verb: str = "linux") -> str:
    """What an installation writes."""
    source = sources.medium()
    payload = payload_of(source, source.images[0], "LiveOS")
    return image_menu(menu_entries(payload, installed, ()), verb)


OWN = """\
# mine \udcff
menuentry 'Shell, forgets' {
	linux   /k  root=live:UUID=1 ${more} "a  b" # why
	initrd  /i
}
if keystatus --shift; then
menuentry Memtest { linux16 /memtest }
fi
"""


@pytest.mark.parametrize("verb", VERBS)
def test_words_are_added_to_every_kernel_line(verb: str) -> None:
    before = written(SNAPSHOT, verb)
    after = change_words(menu_of(before), add=("liveos.home=a b", "quiet"))
    changed = 0
    for old, new in zip(before.splitlines(), after.splitlines(), strict=True):
        if old.lstrip().startswith("linux"):
            assert new == f"{old} 'liveos.home=a b'"  # quiet was there
            changed += 1
        else:
            assert new == old
    assert changed == before.count("vmlinuz")
    assert change_words(menu_of(after), add=("liveos.home=a b",)) == after


@pytest.mark.parametrize("verb", VERBS)
def test_words_that_were_added_can_be_dropped_again(verb: str) -> None:
    before = written(SNAPSHOT, verb)
    more = change_words(menu_of(before), add=("liveos.home=a b", "liveos.swap=1"))
    assert more != before
    assert change_words(menu_of(more), drop=lambda word: word.startswith("liveos.")) == before


def test_what_its_owner_wrote_keeps_every_byte() -> None:
    menu = menu_of(OWN)
    assert change_words(menu) == OWN
    after = change_words(menu, add=("x",), drop=lambda word: word == "${more}")
    assert after == OWN.replace('${more} "a  b"', '"a  b" x')
    assert encoded(after).startswith(b"# mine \xff\n")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("before", MANNERS)
@pytest.mark.parametrize("after", MANNERS)
@pytest.mark.parametrize("temporary", [None, 512])
def test_another_kind_of_memory_is_as_an_installation_with_it(
    before: str, after: str, temporary: int | None, verb: str
) -> None:
    old = written(replace(MANNERS[before], temporary=temporary), verb)
    new = written(replace(MANNERS[after], temporary=temporary), verb)
    assert remembering(menu_of(old), MANNERS[after]) == new


def test_words_of_others_stay() -> None:
    text = change_words(menu_of(written(SNAPSHOT)), add=("liveos.home=1",))
    menu = grub.parse(remembering(menu_of(text), FORGETFUL), "/m", firmware=Firmware.UEFI)
    assert all("liveos.home=1" in entry.options for entry in menu.entries)


def test_entries_of_its_owner_stay() -> None:
    after = remembering(menu_of(written(SNAPSHOT) + OWN), DIRECTORY)
    shell = OWN[OWN.index("if ") :]
    assert shell in after
    titles = [entry.title for entry in grub.parse(after, "/m", firmware=Firmware.UEFI).entries]
    assert titles == [
        "Start Fedora Live",
        "Start Fedora Live (changes are not kept)",
        "Start Fedora Live in basic graphics mode",
        "Shell, forgets",
        "Memtest",
        "Erase all changes, then: Start Fedora Live",
    ]
    (own,) = [line for line in after.splitlines() if "${more}" in line]
    assert "overlay=" not in own
    assert "nopersistenthome" not in own
    assert own.startswith("\tlinux   /k root=live:UUID=3d5c1f6a-")
    assert own.endswith("# why")


def test_a_menu_that_starts_nothing_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="no entry"):
        remembering(menu_of("menuentry Memtest { linux16 /memtest }\n"), SNAPSHOT)


def test_a_step_says_what_it_does() -> None:
    step = ReplaceMenu(PLACE, "é\udcff")
    assert str(step) == "replace /esp/liveos/LiveOS/menu.cfg by 3 bytes"
    assert step.title == "Change the boot menu"
    record = ReplaceRecord(FolderFile(HostFolder(Path("/live/LiveOS")), "image.json"), "{}")
    assert record.title == "Note it in image.json"
    assert str(record) == "replace /live/LiveOS/image.json by 2 bytes"
