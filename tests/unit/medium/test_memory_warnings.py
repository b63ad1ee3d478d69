# SPDX-License-Identifier: Apache-2.0
"""Overlays that no kernel line leads to, and homes that nothing mounts."""

from dataclasses import replace
from pathlib import Path

import pytest

from liveos.medium.inspect import inspect
from liveos.medium.memory_warnings import named_overlay, overlay_warnings
from liveos.medium.model import (
    Container,
    Entry,
    Family,
    Firmware,
    Image,
    Medium,
    MediumKind,
    Overlay,
    PersistenceKind,
    Root,
)
from tests.unit.medium.eras import ERAS

ROOT = Root(None, Container.NONE, None, None, "ext4", None, None, None, None, 1)
STICK = Medium(Path("stick.img"), MediumKind.DISK, "LIVE", 1 << 30)
STORE = Overlay(PersistenceKind.SNAPSHOT, "/LiveOS/overlay-LIVE-1", 1 << 20)


def entry(*words: str) -> Entry:
    options = ("root=live:UUID=1", "rd.live.image", *words)
    return Entry("Start", Firmware.UEFI, "/grub.cfg", None, "/vmlinuz", (), options)


def codes(*lines: str, overlay: Overlay | None = STORE, medium: Medium = STICK) -> list[str]:
    entries = tuple(entry(*line.split()) for line in lines)
    image = Image("LiveOS", Family.DMSQUASH, ROOT, entries=entries, overlay=overlay)
    return [finding.code for finding in overlay_warnings(medium, image)]


@pytest.mark.parametrize(
    "line",
    [
        "rd.live.overlay=UUID=1:/LiveOS/overlay-LIVE-1",
        "rd.live.overlay=LABEL=LIVE",
        "rd.live.overlay=UUID=1:auto",
        "rd.overlay=UUID=1:LiveOS/overlay-LIVE-1",
        "overlay=UUID=1",
        "rd.live.overlay=UUID=${uuid}:/somewhere",
        "rd.overlay rd.live.overlay=UUID=1:/LiveOS/overlay-LIVE-1",
    ],
)
def test_kernel_lines_that_lead_to_the_overlay(line: str) -> None:
    named = [] if "$" in line else codes(line, "quiet")
    assert named == []


def test_an_overlay_that_no_entry_names_is_not_used() -> None:
    """boot-contract.md rule 2: there is no scan."""
    assert codes("quiet", "rd.live.overlay=none", "rd.overlay=1") == ["overlay-not-named"]
    assert codes("rd.overlay=tmpfs:size=1G") == ["overlay-not-named"]


def test_an_overlay_at_another_path_is_not_found() -> None:
    assert codes("rd.live.overlay=UUID=1:/LiveOS/overlay-LIVE-2") == ["other-overlay-named"]


def test_an_overlay_that_is_not_there_is_told_of_sticks_only() -> None:
    line = "rd.live.overlay=UUID=1:auto"
    assert codes(line, overlay=None) == ["overlay-missing"]
    assert codes(line, overlay=None, medium=replace(STICK, kind=MediumKind.ISO)) == []
    assert codes("rd.live.overlay=none", overlay=None) == []


def test_a_root_that_is_written_through_needs_no_overlay() -> None:
    direct = Overlay(PersistenceKind.DIRECT, "/LiveOS/rootfs.img", 1)
    assert codes("rd.live.overlay=none", overlay=direct) == []


def test_other_live_schemes_and_media_without_menu_have_nothing_to_warn_of() -> None:
    image = Image("LiveOS", Family.KIWI, ROOT, entries=(entry("quiet"),), overlay=STORE)
    assert not list(overlay_warnings(STICK, image))
    assert codes() == []


def test_the_newer_name_wins() -> None:
    assert named_overlay(entry("rd.live.overlay=UUID=1", "rd.overlay=UUID=2")) == "UUID=2"
    assert named_overlay(entry("rd.overlay", "rd.live.overlay=UUID=1")) == "UUID=1"


def test_memory_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """The root has no systemd and no livesys, and the swap file neither header nor blocks."""
    live = ERAS["fedora-41-flat"]().write(tmp_path) / "LiveOS"
    (live / "home.img").write_bytes(bytes(4096))
    with (live / "swap.img").open("wb") as file:
        file.truncate(1 << 20)
    found = {each.code: each.message for each in inspect(tmp_path).warnings}
    assert "no livesys" in found["home-not-mounted"]
    assert "no livesys" in found["swap-not-used"]
    assert {"swap-without-header", "swap-with-holes"} <= found.keys()
