# SPDX-License-Identifier: Apache-2.0
"""Sticks as livecd-iso-to-disk leaves them: serviced by our verbs, they boot and remember."""

import json
from pathlib import Path

import pytest

from liveos.host.machine.firmware import FirmwareKind
from liveos.medium.model import PersistenceKind
from tests.images.recipes import NESTED
from tests.litd_sticks import Old, make_old_stick, run
from tests.vm.proofs import agrees_with_the_guest, iso_of, liveos, prove_medium

pytestmark = pytest.mark.vm

_PARTS = ("/isolinux", "/images", "/EFI", "/LiveOS")


def unpacked(scratch: Path) -> Path:
    """The files of the nested ISO, which is one of the isolinux years, as xorriso reads them."""
    tree = scratch / "iso"
    for part in _PARTS:
        target = tree / part.lstrip("/")
        run("xorriso", "-osirrox", "on", "-indev", iso_of(NESTED), "-extract", part, target)
    run("chmod", "-R", "u+w", tree)
    return tree


def test_msdos_fat_and_syslinux(tmp_path: Path) -> None:
    """Its overlay, as made by the old tool, is emptied and made larger."""
    old = Old(overlay_mib=64, size_mib=900)
    stick = make_old_stick(tmp_path, unpacked(tmp_path), old)
    liveos("overlay", "reset", "--yes", stick.path)
    liveos("overlay", "resize", "--yes", stick.path, "160M")
    stick.check()
    proof = prove_medium(stick.path, tmp_path, FirmwareKind.BIOS)
    assert proof.problems == ()
    agrees_with_the_guest(proof, FirmwareKind.BIOS, PersistenceKind.SNAPSHOT)


def test_gpt_ext4_and_efi(tmp_path: Path) -> None:
    """It was made without an overlay, and gets one: every menu leads to it."""
    old = Old(filesystem="ext4", efi=True, overlay=None, size_mib=900)
    stick = make_old_stick(tmp_path, unpacked(tmp_path), old)
    liveos("overlay", "create", "--yes", "--size", "160M", stick.path)
    stick.check()
    assert json.loads(liveos("overlay", "status", "--json", stick.path))["state"] == "blank"
    proof = prove_medium(stick.path, tmp_path, FirmwareKind.UEFI)
    assert proof.problems == ()
    agrees_with_the_guest(proof, FirmwareKind.UEFI, PersistenceKind.SNAPSHOT)
