# SPDX-License-Identifier: Apache-2.0
"""What becomes of an image's memory when a newer one takes its place."""

from dataclasses import replace
from typing import Any

import pytest

from liveos.errors import NoSpaceError, RefusedError, UnsupportedError, UsageError
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.installation import Record
from liveos.medium.model import Image, Overlay, PersistenceKind, Store
from liveos.operations.images.kept_memory import (
    KeptOverlay,
    OverlayFate,
    overlay_after,
    size_of_new,
    use_of_memory,
)
from tests.unit.operations.sources import FLAT, MIB, NESTED, TARGET

SNAPSHOT, DIRECTORY, IMAGE, DIRECT = (
    PersistenceKind.SNAPSHOT,
    PersistenceKind.DIRECTORY,
    PersistenceKind.IMAGE,
    PersistenceKind.DIRECT,
)
KEEP, ASIDE = OverlayFate.KEEP, OverlayFate.SET_ASIDE


def with_overlay(kind: PersistenceKind, image: Image = NESTED) -> Image:
    return replace(image, overlay=Overlay(kind, "/A/overlay-L-U", 64 * MIB))


def record(overlay: Any) -> Record:  # noqa: ANN401 - what a record may hold
    place = FolderFile(HostFolder(TARGET.parent), "image.json")
    return Record(place, {"overlay": overlay})


@pytest.mark.parametrize("kind", [SNAPSHOT, DIRECTORY, IMAGE])
def test_nobody_decides_silently(kind: PersistenceKind) -> None:
    with pytest.raises(UsageError, match="say what shall become of it") as caught:
        overlay_after(with_overlay(kind), None, NESTED, None)
    assert "--overlay set-aside" in str(caught.value.hint)
    assert ("--overlay keep" in str(caught.value.hint)) is (kind is not SNAPSHOT)


def test_a_snapshot_belongs_to_its_root() -> None:
    with pytest.raises(RefusedError, match="byte for byte"):
        overlay_after(with_overlay(SNAPSHOT), None, NESTED, KEEP)


@pytest.mark.parametrize("kind", [DIRECTORY, IMAGE])
def test_others_are_kept_with_a_warning(kind: PersistenceKind) -> None:
    found = overlay_after(with_overlay(kind), None, FLAT, KEEP)
    assert (found.kind, found.making, found.aside) == (kind, False, None)
    assert "another root" in found.notes[0]


def test_what_is_set_aside_is_followed_by_one_of_its_kind_or_what_suits() -> None:
    old = with_overlay(SNAPSHOT)
    same = overlay_after(old, None, NESTED, ASIDE)
    assert same == KeptOverlay(SNAPSHOT, 64 * MIB, old.overlay, making=True)
    other = overlay_after(old, None, FLAT, ASIDE)
    assert (other.kind, other.size, other.making) == (DIRECTORY, None, True)


def test_changes_in_the_root_cannot_be_kept() -> None:
    with pytest.raises(UnsupportedError, match="a new root would lose them"):
        overlay_after(with_overlay(DIRECT), None, NESTED, ASIDE)


@pytest.mark.parametrize(
    ("noted", "kind", "size"),
    [
        ({"kind": "snapshot", "size": MIB}, SNAPSHOT, MIB),
        ({"kind": "directory", "size": None}, DIRECTORY, None),
        ({"kind": "direct"}, None, None),
        ({"kind": ["snapshot"]}, None, None),
        (None, None, None),
        ([], None, None),
    ],
)
def test_a_run_that_was_cut_off_goes_on_by_the_record(
    noted: object, kind: PersistenceKind | None, size: int | None
) -> None:
    found = overlay_after(NESTED, record(noted), NESTED, None)
    assert (found.kind, found.size, found.making) == (kind, size, kind is not None)


def test_the_home_that_is_there_must_be_mounted() -> None:
    old = replace(NESTED, home=Store("/A/home.img", MIB, encrypted=True))
    used = use_of_memory(old, NESTED, LiveSystem(systemd=252, cryptsetup=True), "A")
    assert used.words == ("liveos.home=/A/home.img",)
    with pytest.raises(UnsupportedError, match="would not use /A/home"):
        use_of_memory(old, NESTED, LiveSystem(systemd=252), "A")


def test_an_overlay_that_does_not_fit_beside_the_old_one() -> None:
    overlay = KeptOverlay(SNAPSHOT, 64 * MIB, making=True)
    assert size_of_new(overlay, NESTED, 100 * MIB) == 64 * MIB
    with pytest.raises(NoSpaceError, match="no room beside the old one"):
        size_of_new(overlay, NESTED, 60 * MIB)
    assert size_of_new(KeptOverlay(DIRECTORY, making=True), FLAT, 60 * MIB) is None
