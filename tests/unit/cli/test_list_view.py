# SPDX-License-Identifier: Apache-2.0
"""The table of images, as a person reads it."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from liveos.cli.list_view import listing_view
from liveos.cli.main import main
from liveos.medium.listing import ListedImage, Listing
from liveos.medium.model import MediumKind, Overlay, PersistenceKind, Store
from liveos.medium.overlay.room import Room
from liveos.report import Finding, Severity
from tests.unit.cli.media import GIB, IMAGE, MIB
from tests.unit.medium.eras import ERAS

STORE = Overlay(PersistenceKind.SNAPSHOT, "/LiveOS/overlay-LIVE-1", 2 * GIB, "valid")
FULL = ListedImage(
    image=replace(
        IMAGE,
        overlay=STORE,
        home=Store("partition 4", 8 * GIB, encrypted=True, filesystem="crypto_LUKS", partition=4),
        swap=Store("/LiveOS/swap.img", 512 * MIB),
    ),
    title="Fedora-Workstation-Live-x86_64-40-1.14",
    is_default=True,
    dracut="059-16.fc39",
    kernel="6.8.5-301.fc40.x86_64",
    room=Room(2 * GIB, 1800 * MIB, 0.12),
)
BARE = ListedImage(replace(IMAGE, name="A1b2"), None, False, None, None, None)


def lines(
    *images: ListedImage, width: int = 80, terminal: bool = True, warnings: tuple[Finding, ...] = ()
) -> list[str]:
    listing = Listing(Path("s.img"), MediumKind.DISK, "LIVE", GIB, None, images, warnings)
    console = Console(
        file=io.StringIO(), width=width, markup=False, highlight=False,
        force_terminal=terminal, color_system=None,
    )  # fmt: skip
    for part in listing_view(listing):
        console.print(part, crop=False)
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue().splitlines()


def test_everything_is_said_in_two_lines() -> None:
    header, first, second, *_ = lines(FULL, width=140)
    assert header.split() == ["image", "root", "starts", "with", "overlay", "home", "swap"]
    assert " ".join(first.split()) == ("* LiveOS nested 6.8.5-301.fc40 snapshot encrypted 512 MiB")
    assert " ".join(second.split()) == (
        "Fedora-Workstation-Live-x86_64-40-1.14 squashfs xz dracut 059-16.fc39 2 GiB, 12 %"
        " 8 GiB, part 4"
    )


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    shown = lines(FULL, BARE, width=width)
    assert max(map(cell_len, shown)) <= width
    assert len(shown) == 1 + 2 + 2 + 2


def test_columns_stand_below_each_other() -> None:
    header, *rows = lines(FULL, BARE)[:5]
    start = header.index("overlay")
    assert [row[start : start + 8].strip() for row in rows] == ["snapshot", "2 GiB, 1", "-", ""]
    assert all(row[start - 1 : start] in {" ", ""} for row in rows)


def test_only_a_terminal_cuts_titles() -> None:
    assert "…" in "".join(lines(FULL))
    assert FULL.title
    assert FULL.title in "".join(lines(FULL, terminal=False))


@pytest.mark.parametrize(
    ("overlay", "room", "words"),
    [
        (STORE, Room(2 * GIB, 0, 1.0), "2 GiB, 100 %"),
        (replace(STORE, state="blank"), Room(2 * GIB, 2 * GIB, 0.0), "2 GiB, blank"),
        (replace(STORE, state="invalid"), Room(2 * GIB, 0, None), "2 GiB, invalid"),
        (replace(STORE, state="damaged"), Room(2 * GIB), "2 GiB, damaged"),
        (Overlay(PersistenceKind.DIRECTORY, "/x", None), Room(free=3 * GIB), "3 GiB free"),
        (Overlay(PersistenceKind.DIRECT, "/x", GIB), Room(GIB, GIB // 2, 0.5), "1 GiB, 50 %"),
    ],
)
def test_how_full_each_kind_of_overlay_is(overlay: Overlay, room: Room, words: str) -> None:
    image = replace(IMAGE, overlay=overlay)
    shown = "\n".join(lines(replace(FULL, image=image, room=room)))
    assert str(overlay.kind) in shown
    assert words in shown


def test_what_is_wrong_is_told_below_and_notes_are_not() -> None:
    found = (
        Finding("a", Severity.WARNING, "its swap has holes"),
        Finding("b", Severity.INFO, "nothing of importance"),
    )
    shown = lines(FULL, warnings=found)
    assert shown[-1] == "warning: its swap has holes"
    assert not any("importance" in line for line in shown)


def test_a_stick_without_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "no images\n"


def test_a_directory_with_an_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ERAS["fedora-40"]().write(tmp_path)
    assert main(["list", str(tmp_path)]) == 0
    assert "LiveOS" in capsys.readouterr().out
    assert main(["list", "--json", str(tmp_path)]) == 0
    assert '"schema": "liveos/list/1"' in capsys.readouterr().out
