# SPDX-License-Identifier: Apache-2.0
"""Sticks of other tables, filesystems and loaders start, and remember."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from liveos.host.machine.firmware import FirmwareKind
from liveos.medium.model import PersistenceKind
from liveos.operations.prove.proof import Showing
from tests.images.recipes import FLAT, NESTED, Recipe
from tests.vm.proofs import agrees_with_the_guest, install, prove_medium

pytestmark = pytest.mark.vm

BIOS, UEFI = FirmwareKind.BIOS, FirmwareKind.UEFI


@dataclass(frozen=True)
class Case:
    """An image, how it is installed, what starts it, and how it remembers."""

    recipe: Recipe
    options: str
    firmware: FirmwareKind
    kind: PersistenceKind
    showing: Showing = Showing.REMEMBERS


CASES = {
    "btrfs": Case(FLAT, "--filesystem btrfs", BIOS, PersistenceKind.DIRECTORY),
    "xfs-msdos": Case(
        NESTED, "--filesystem xfs --table msdos --overlay 200M", BIOS, PersistenceKind.SNAPSHOT
    ),
    "f2fs-features": Case(
        FLAT,
        "--filesystem f2fs --f2fs-features extra_attr,compression",
        UEFI,
        PersistenceKind.DIRECTORY,
    ),
    "single-fat32": Case(
        NESTED,
        "--layout single --table msdos --overlay 200M --bootloader syslinux",
        BIOS,
        PersistenceKind.SNAPSHOT,
    ),
    # That such a stick remembers, the same filesystem shows with another loader.
    "efi-stub": Case(
        FLAT,
        "--bootloader efi-stub --filesystem f2fs",
        UEFI,
        PersistenceKind.DIRECTORY,
        Showing.BOOTS,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_starts_and_remembers(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    stick = install(case.recipe, tmp_path / "stick.img", *case.options.split())
    proof = prove_medium(stick, tmp_path / "proof", case.firmware, showing=case.showing)
    assert proof.proved, proof.problems
    agrees_with_the_guest(proof, case.firmware, case.kind)
