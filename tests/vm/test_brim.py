# SPDX-License-Identifier: Apache-2.0
"""Overlays filled to the brim in running systems: what was foretold happens, and they get well.

The forecasts are made before the first boot; the kernel's own words tell whether they held.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from liveos.formats.exception_store import Geometry
from liveos.medium.overlay.locate import open_overlay
from liveos.operations.guests.guest import Guest
from tests.images.recipes import FLAT, NESTED
from tests.vm.proofs import install, liveos
from tests.vm.visits import KEEP, kept, tell, visit

pytestmark = pytest.mark.vm

STATUS = "dmsetup status live-rw"
# What has run once is in memory, where it can be run again when nothing can be read any more.
FILL = f"{STATUS}; sync; dd if=/dev/zero of=/var/lib/filler bs=1M oflag=direct"
GEOMETRY = Geometry(8)
BOUNDARY = (32 * GEOMETRY.stride + 1) * GEOMETRY.chunk_size
"""A size that `overlay resize` never makes: a store of it dies when it is full."""


def status_of(stick: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(liveos("overlay", "status", "--json", stick))
    return document


def filled(stick: Path) -> tuple[str, list[str]]:
    """Fill a snapshot until its kernel takes no more; its last status, and what must be kept."""
    seen: list[str] = []
    sums: list[str] = []

    def fill(guest: Guest) -> None:
        tell(guest, KEEP)
        sums.extend(kept(guest))
        answer = guest.ask(FILL)
        assert answer.status != 0
        assert "Input/output error" in answer.text
        seen.append(tell(guest, STATUS).split(maxsplit=3)[3].strip())
        # The store is a file: what the kernel wrote into it last must reach the stick.
        guest.ask("sync")

    visit(stick, fill, pulled=True)
    return seen[0], sums


def found_again(stick: Path) -> list[str]:
    """What is kept on a stick; its overlay takes changes again."""
    sums: list[str] = []

    def look(guest: Guest) -> None:
        sums.extend(kept(guest))
        tell(guest, "rm -f /var/lib/filler && echo new >/var/lib/new && sync")
        assert "/" in tell(guest, STATUS).split()[3]

    visit(stick, look)
    return sums


def test_a_snapshot_overflows_as_foretold_and_is_made_larger(tmp_path: Path) -> None:
    stick = install(NESTED, tmp_path / "stick.img", "--overlay", "48M")
    foretold = status_of(stick)["forecast"]
    assert foretold["ending"] == "overflow"
    ending, sums = filled(stick)
    assert ending == "Overflow"
    full = status_of(stick)
    assert full["exceptions"] == foretold["new_chunks"]
    assert full["free_chunks"] == 0

    liveos("overlay", "resize", "--yes", stick, "+64M")
    assert found_again(stick) == sums
    assert status_of(stick)["size"] >= full["size"] + (64 << 20)


def test_a_snapshot_dies_as_foretold_and_is_brought_back(tmp_path: Path) -> None:
    stick = install(NESTED, tmp_path / "stick.img", "--overlay", "48M")
    with open_overlay(str(stick)) as overlay:
        place = overlay.place
    place.folder.resize(place.name, BOUNDARY)
    assert status_of(stick)["forecast"]["ending"] == "invalid"
    ending, sums = filled(stick)
    assert ending == "Invalid"
    assert status_of(stick)["status_line"] == "Invalid"

    liveos("overlay", "resize", "--yes", stick, "+64M")
    liveos("overlay", "repair", "--yes", "--in-place", stick)
    assert found_again(stick) == sums


def test_a_full_directory_keeps_what_it_has(tmp_path: Path) -> None:
    """It has no end of its own: the stick's filesystem is full, and nothing is lost by that."""
    stick = install(FLAT, tmp_path / "stick.img", "--size", "330M")
    foretold = status_of(stick)["free_size"]
    sums: list[str] = []

    def fill(guest: Guest) -> None:
        tell(guest, KEEP)
        sums.extend(kept(guest))
        answer = guest.ask("dd if=/dev/zero of=/var/lib/filler bs=1M; sync")
        assert "No space left on device" in answer.text
        size = int(tell(guest, "stat -c %s /var/lib/filler"))
        assert 0.8 * foretold < size <= foretold

    visit(stick, fill)
    assert status_of(stick)["free_size"] < foretold // 20

    def look(guest: Guest) -> None:
        assert kept(guest) == sums
        tell(guest, "rm /var/lib/filler && head -c 5000000 /dev/zero >/var/lib/new && sync")

    visit(stick, look)
    assert status_of(stick)["free_size"] > 0.8 * foretold
