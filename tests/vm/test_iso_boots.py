# SPDX-License-Identifier: Apache-2.0
"""Each generation's ISO boots as a CD, with the menu that it has, and nothing of it changes."""

from pathlib import Path

import pytest

from liveos.host.machine.firmware import FirmwareKind
from tests.images.recipes import EROFS, FLAT, NESTED, RECIPES, Recipe
from tests.vm.proofs import (
    boot_on_terminal,
    digest,
    iso_of,
    prove_medium,
    read_report,
    report_of,
)

pytestmark = pytest.mark.vm


@pytest.mark.parametrize(
    "recipe",
    [NESTED, *(pytest.param(each, marks=pytest.mark.spare) for each in (FLAT, EROFS))],
    ids=lambda recipe: recipe.name,
)
def test_an_iso_boots_on_a_serial_console(recipe: Recipe) -> None:
    iso = iso_of(recipe)
    before = digest(iso)
    report = read_report(boot_on_terminal(iso, "--snapshot"))
    assert digest(iso) == before
    assert report["generation"] == recipe.name
    assert report["firmware"] == "bios"
    assert report["live"].split()[1] == "iso9660"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_an_iso_is_judged_and_what_it_cannot_show_is_said(recipe: Recipe, tmp_path: Path) -> None:
    proof = prove_medium(iso_of(recipe), tmp_path, FirmwareKind.UEFI)
    assert proof.problems == ()
    assert proof.marker_survived is None
    assert "whether changes survive" in proof.not_shown[0]
    (boot,) = proof.boots
    report = report_of(boot)
    assert report["firmware"] == "uefi"
    assert boot.kernel == report["kernel"]
    assert boot.overlay is not None
    assert boot.overlay.persistent is False
    assert boot.screenshot is not None
    assert boot.screenshot.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
