# SPDX-License-Identifier: Apache-2.0
"""Which entries of a menu with several images are meant, by their places in the whole of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from liveos.errors import UsageError
from liveos.host.machine.firmware import FirmwareKind
from liveos.medium.model import Entry, Firmware, Medium, MediumKind
from liveos.operations.guests.choices import choices
from liveos.operations.prove.expectation import image_problems
from liveos.operations.prove.mark import Mark
from liveos.operations.prove.proof import Showing
from liveos.operations.prove.rounds import rounds
from tests.unit.operations.sources import NESTED

BIOS, UEFI = FirmwareKind.BIOS, FirmwareKind.UEFI


def entry(
    title: str, *words: str, default: bool = False, firmware: Firmware = Firmware.BIOS
) -> Entry:
    options = ("root=live:UUID=1", *words) if words else ()
    return Entry(title, firmware, "/grub.cfg", None, "/k", (), options, default=default)


SHOWN = (
    entry("a", "rd.live.overlay=UUID=1:/LiveOS/o"),
    entry("memory test"),
    entry("b", "rd.live.dir=B", "rd.live.overlay=UUID=1:/B/o", default=True),
    entry("b forgets", "rd.live.dir=B"),
    entry("a erases", "rd.live.overlay=UUID=1:/LiveOS/o", "rd.live.overlay.reset"),
)
A = replace(NESTED, entries=(SHOWN[0], SHOWN[4]))
B = replace(NESTED, name="B", entries=(SHOWN[2], SHOWN[3]))
STICK = Medium(Path("stick.img"), MediumKind.DISK, None, 1, images=(A, B))


def titles(image: str | None, firmware: FirmwareKind = BIOS) -> list[tuple[int, str]]:
    found = choices(STICK, SHOWN, firmware, image)
    return [(choice.position, choice.entry.title) for choice in found]


def test_an_image_is_found_by_its_directory() -> None:
    assert titles("LiveOS") == [(0, "a"), (4, "a erases")]
    assert titles("b") == [(2, "b"), (3, "b forgets")]


def test_a_submenu_is_one_item_to_grub_and_none_to_syslinux() -> None:
    inside = (replace(SHOWN[0], submenu=("more",)), replace(SHOWN[1], submenu=("more",)))
    shown = (SHOWN[0], *inside, SHOWN[2])
    (found,) = choices(STICK, shown, BIOS, "B")
    assert found.position == 2
    labelled = tuple(replace(each, label=str(number)) for number, each in enumerate(shown))
    (found,) = choices(STICK, labelled, BIOS, "B")
    assert found.position == 3


def test_what_starts_by_itself_is_meant_when_nothing_is_said() -> None:
    assert titles(None) == [(2, "b"), (3, "b forgets")]


def test_the_only_image_has_the_whole_menu() -> None:
    alone = replace(STICK, images=(A,))
    assert [choice.position for choice in choices(alone, SHOWN, BIOS)] == [0, 1, 2, 3, 4]
    # Where no menu can be read as a whole, the entries of the image are all that is known.
    assert [choice.entry for choice in choices(alone, (), BIOS)] == [*A.entries]
    assert choices(alone, (), UEFI) == ()
    assert choices(None, (), BIOS) == ()


def test_a_name_that_no_entry_has() -> None:
    with pytest.raises(UsageError, match="no entry of the bios menu starts an image C") as caught:
        titles("C")
    assert "there are: LiveOS, B" in str(caught.value)


def test_all_boots_of_a_proof_start_the_image() -> None:
    own = choices(STICK, SHOWN, BIOS, "LiveOS")
    for showing, entries in (
        (Showing.BOOTS, [0]),
        (Showing.REMEMBERS, [0, 0]),
        (Showing.RESET, [0, 4, 0]),
    ):
        assert [each.entry for each in rounds(showing, own, Mark(), 0)] == entries


def test_another_image_than_the_one_that_was_named_is_a_problem() -> None:
    assert image_problems("rd.live.dir=B quiet", "b") == []
    assert image_problems("quiet", None) == []
    assert image_problems("quiet", "B") == ["the menu started the image LiveOS, not B"]
