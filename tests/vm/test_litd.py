# SPDX-License-Identifier: Apache-2.0
"""Sticks as livecd-iso-to-disk leaves them: serviced by our verbs, they boot and remember."""

import json
from pathlib import Path

import pytest

from liveos.host.machine.firmware import FirmwareKind
from liveos.medium.model import PersistenceKind
from tests.images.recipes import FLAT, NESTED
from tests.litd_sticks import Old, OldStick, make_old_stick, run
from tests.vm.proofs import agrees_with_the_guest, iso_of, liveos, prove_medium, report_of

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


def prove_added(stick: OldStick, output: Path, firmware: FirmwareKind, name: str) -> None:
    """It is the added image that starts, and it uses the overlay in its own directory."""
    proof = prove_medium(stick.path, output, firmware, image=name)
    assert proof.problems == ()
    for boot in proof.boots:
        assert report_of(boot)["generation"] == FLAT.name
        assert f"rd.live.dir={name}" in (boot.cmdline or "").split()
    kind = PersistenceKind.IMAGE if stick.old.is_fat else PersistenceKind.DIRECTORY
    agrees_with_the_guest(proof, firmware, kind)


def test_an_added_image_starts_from_the_menu_of_syslinux(tmp_path: Path) -> None:
    """By the old spelling; its own menu is shown by the main one."""
    stick = make_old_stick(tmp_path, unpacked(tmp_path), Old(overlay_mib=64, size_mib=900))
    words = ("--multi", "--livedir", "Trixie", "--overlayfs", "--overlay-size-mb", "160", "--yes")
    liveos("litd", *words, iso_of(FLAT), stick.path)
    stick.check()
    prove_added(stick, tmp_path, FirmwareKind.BIOS, "Trixie")


@pytest.mark.spare
def test_an_added_image_starts_from_the_menu_of_grub(tmp_path: Path) -> None:
    stick = make_old_stick(
        tmp_path, unpacked(tmp_path), Old(filesystem="ext4", efi=True, size_mib=900)
    )
    liveos("install", "--add", "--name", "Trixie", "--yes", iso_of(FLAT), stick.path)
    stick.check()
    prove_added(stick, tmp_path, FirmwareKind.UEFI, "Trixie")
