# SPDX-License-Identifier: Apache-2.0
"""Boot lines that start a system and lose its changes: proofs must not pass them.

They are those of boot-contract.md, rules 3 to 5 and 1.2: what dracut 100 to 109 and 110 and later
make of words that look right. The nested root meets those dracuts by a transplant.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from liveos.medium.model import PersistenceKind
from liveos.operations.prove.proof import Showing
from tests.images.recipes import EROFS, FLAT, NESTED, Recipe
from tests.vm.proofs import install, iso_of, prove_medium
from tests.vm.surgery import change_line, transplant, word_of

pytestmark = pytest.mark.vm

OVERLAY = "rd.live.overlay"
Stick = Callable[[Recipe], Path]


@pytest.fixture
def stick(tmp_path: Path) -> Stick:
    """A nested image with a snapshot, started by the kernel and the initramfs of a recipe."""

    def make(recipe: Recipe) -> Path:
        path = install(NESTED, tmp_path / "stick.img", "--overlay", "100M")
        transplant(path, iso_of(recipe))
        return path

    return make


def is_overlay(word: str) -> bool:
    return word.startswith(f"{OVERLAY}=")


def test_a_snapshot_lasts_on_the_newest_dracut_with_the_old_word(
    stick: Stick, tmp_path: Path
) -> None:
    """Rule 4 kept: what the others break."""
    proof = prove_medium(stick(EROFS), tmp_path)
    assert proof.problems == ()
    assert proof.boots[0].overlay is not None
    assert proof.boots[0].overlay.kind is PersistenceKind.SNAPSHOT


def test_the_new_word_lays_memory_over_a_snapshot(stick: Stick, tmp_path: Path) -> None:
    """Rule 4 broken: from dracut 110 ``rd.overlay=`` asks for OverlayFS as well."""
    path = stick(EROFS)
    place = word_of(path, OVERLAY)
    change_line(path, drop=is_overlay, add=[f"rd.overlay={place}"])
    (problem,) = prove_medium(path, tmp_path).problems
    assert "its changes go to memory" in problem
    assert "over the snapshot: rd.overlay on the boot line asks for it" in problem


def test_overlayfs_is_not_asked_for_beside_a_snapshot(stick: Stick, tmp_path: Path) -> None:
    """Rule 5 broken, on dracut 106."""
    path = stick(FLAT)
    change_line(path, add=["rd.live.overlay.overlayfs=1"])
    (problem,) = prove_medium(path, tmp_path).problems
    assert "its changes go to memory" in problem
    assert "over the snapshot: rd.live.overlay.overlayfs on the boot line asks for it" in problem


def test_a_device_without_a_path_is_caught(tmp_path: Path) -> None:
    """Rule 3 broken, on dracut 112."""
    path = install(EROFS, tmp_path / "stick.img")
    device = word_of(path, OVERLAY).partition(":")[0]
    change_line(path, drop=is_overlay, add=[f"rd.overlay={device}"])
    proof = prove_medium(path, tmp_path)
    assert any("without a path" in problem for problem in proof.problems), proof.problems


@pytest.mark.spare
def test_an_old_name_for_reading_only_hides_what_there_is(tmp_path: Path) -> None:
    """boot-contract.md 1.2: dracut 110 and later know ``rd.live.overlay.readonly`` by half."""
    path = install(EROFS, tmp_path / "stick.img")
    change_line(path, add=["rd.live.overlay.readonly"])
    proof = prove_medium(path, tmp_path, showing=Showing.READ_ONLY)
    assert proof.problems == ("boot 2: what was written into /var/lib is gone",)
