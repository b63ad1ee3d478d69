# SPDX-License-Identifier: Apache-2.0
"""Each generation's ISO boots as a CD, with the menu that it has, and nothing of it changes."""

from pathlib import Path

import pytest

from liveos.host.firmware import FirmwareKind
from tests.images.recipes import EROFS, FLAT, NESTED, Recipe
from tests.vm.proofs import digest, iso_of, prove_medium, report_of

pytestmark = pytest.mark.vm


@pytest.mark.parametrize(
    ("recipe", "firmware"),
    [
        (NESTED, FirmwareKind.BIOS),
        (FLAT, FirmwareKind.BIOS),
        (EROFS, FirmwareKind.BIOS),
        (NESTED, FirmwareKind.UEFI),
        (FLAT, FirmwareKind.UEFI),
        (EROFS, FirmwareKind.UEFI),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_an_iso_boots_as_a_cd(recipe: Recipe, firmware: FirmwareKind, tmp_path: Path) -> None:
    iso = iso_of(recipe)
    before = digest(iso)
    proof = prove_medium(iso, tmp_path, firmware)
    assert digest(iso) == before
    assert proof.problems == ()
    assert proof.marker_survived is None
    assert "whether changes survive" in proof.not_shown[0]
    (boot,) = proof.boots
    report = report_of(boot)
    assert report["generation"] == recipe.name
    assert report["firmware"] == str(firmware)
    assert report["live"].split()[1] == "iso9660"
    assert boot.kernel == report["kernel"]
    assert boot.overlay is not None
    assert boot.overlay.persistent is False
    assert boot.screenshot is not None
    assert boot.screenshot.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
