# SPDX-License-Identifier: Apache-2.0
"""Every kind of memory on each generation that can carry it, with homes of every kind.

Beside the sticks of `test_prove`: those have snapshots (nested) and directories (flat, EROFS), with
plain homes in files; and that of `test_several`, where EROFS has an image file. Nested and EROFS
have a livesys.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from liveos.host.machine.firmware import FirmwareKind
from liveos.host.machine.qemu import Attachment
from liveos.medium.model import PersistenceKind
from liveos.operations.prove.proof import Proof, Showing
from tests.images.recipes import EROFS, FLAT, NESTED, Recipe
from tests.vm.proofs import agrees_with_the_guest, install, liveos, prove_medium

pytestmark = pytest.mark.vm

BIOS, UEFI = FirmwareKind.BIOS, FirmwareKind.UEFI
SECRET = "pässword of 2 words".encode()
HOME = ("--home", "64M")
FILE, PARTITION = HOME, (*HOME, "--home-partition")


@dataclass(frozen=True, slots=True)
class Case:
    """A stick: its overlay, its home (encrypted unless ``plain``), and what starts it."""

    recipe: Recipe
    kind: PersistenceKind
    home: tuple[str, ...]
    plain: bool = False
    more: tuple[str, ...] = ()
    firmware: FirmwareKind = BIOS
    attachment: Attachment = Attachment.USB
    light: bool = True

    def __str__(self) -> str:
        place = "partition" if self.home is PARTITION else "file"
        return f"{self.recipe.name}-{self.kind}-{'plain' if self.plain else 'luks'}-{place}"

    @property
    def secret(self) -> bytes | None:
        return None if self.plain else SECRET

    def install(self, stick: Path) -> Path:
        options = (*self.home, *(["--plain-home"] if self.plain else []), *self.more)
        kind = ("--overlay-kind", str(self.kind))
        secret = self.secret
        return install(self.recipe, stick, *kind, *options, secret=secret, light=self.light)


DIRECTORY, IMAGE = PersistenceKind.DIRECTORY, PersistenceKind.IMAGE
DIRECT = PersistenceKind.DIRECT
IMAGE_SIZE = ("--overlay", "200M")
UNPACKED = ("--uncompressed", "--size", "2G")
CASES = (
    Case(NESTED, IMAGE, FILE, more=(*IMAGE_SIZE, "--swap", "32M"), light=False),
    Case(NESTED, DIRECT, PARTITION, more=(*UNPACKED, "--swap", "32M"), firmware=UEFI),
    Case(NESTED, DIRECTORY, PARTITION, plain=True, attachment=Attachment.DISK),
    Case(FLAT, DIRECTORY, PARTITION, firmware=UEFI),
    Case(EROFS, DIRECTORY, PARTITION, more=("--swap", "32M")),
)
SPARE = (
    Case(FLAT, IMAGE, FILE, more=IMAGE_SIZE),
    Case(EROFS, IMAGE, FILE, plain=True, more=IMAGE_SIZE, firmware=UEFI),
)


@pytest.mark.parametrize(
    "case", [*CASES, *(pytest.param(each, marks=pytest.mark.spare) for each in SPARE)], ids=str
)
def test_a_stick_remembers(case: Case, tmp_path: Path) -> None:
    stick = case.install(tmp_path / "stick.img")
    proof = prove_medium(stick, tmp_path, case.firmware, case.attachment, secret=case.secret)
    assert proof.problems == ()
    assert proof.not_shown == ()
    agrees_with_the_guest(proof, case.firmware, case.kind)
    for boot in proof.boots:
        assert boot.home is not None
        assert boot.home.encrypted is not case.plain
        assert boot.asked_passphrase is not case.plain
        in_partition = (boot.home.store or "").startswith("partition ")
        assert in_partition is (case.home is PARTITION)
        assert bool(boot.swap) is ("--swap" in case.more)
    has_no_secret(proof)


def has_no_secret(proof: Proof) -> None:
    """The passphrase is in none of the logs that are kept."""
    (directory,) = {boot.serial_log.parent for boot in proof.boots if boot.serial_log}
    for log in directory.glob("boot-*.log"):
        assert SECRET not in log.read_bytes(), log


@pytest.mark.parametrize(
    "recipe",
    [NESTED, pytest.param(EROFS, marks=pytest.mark.spare)],
    ids=lambda recipe: recipe.name,
)
def test_an_overlay_that_is_only_read(recipe: Recipe, tmp_path: Path) -> None:
    stick = install(recipe, tmp_path / "stick.img", "--read-only-overlay")
    proof = prove_medium(stick, tmp_path)
    assert proof.showing is Showing.READ_ONLY
    assert proof.problems == ()
    kept = [boot.overlay.persistent for boot in proof.boots if boot.overlay]
    assert kept == [True, False, False]


def test_a_temporary_overlay_has_the_size_that_was_asked_for(tmp_path: Path) -> None:
    """The kernel tells it: sectors in use, and of all."""
    options = ("--overlay", "none", "--temporary", "96M")
    stick = install(NESTED, tmp_path / "stick.img", *options)
    proof = prove_medium(stick, tmp_path, showing=Showing.BOOTS)
    assert proof.problems == ()
    (boot,) = proof.boots
    assert boot.overlay is not None
    assert boot.overlay.persistent is False
    assert boot.overlay.status_line is not None
    assert boot.overlay.status_line.partition("/")[2].split()[0] == str((96 << 20) // 512)


def test_an_overlay_may_come_later(tmp_path: Path) -> None:
    """A stick without one gets it; its home was there before."""
    options = ("--overlay", "none", *PARTITION, "--plain-home", "--swap", "32M")
    stick = install(FLAT, tmp_path / "stick.img", *options)
    liveos("overlay", "create", "--yes", stick)
    proof = prove_medium(stick, tmp_path)
    assert proof.problems == ()
    agrees_with_the_guest(proof, BIOS, DIRECTORY)
    assert proof.boots[0].home is not None
    assert proof.boots[0].home.store == "partition 4"


def test_a_forgotten_passphrase_does_not_keep_a_system_from_starting(tmp_path: Path) -> None:
    """Nobody types anything."""
    stick = CASES[3].install(tmp_path / "stick.img")
    proof = prove_medium(stick, tmp_path, showing=Showing.BOOTS)
    assert proof.problems == ()
    assert any("no passphrase was typed" in sentence for sentence in proof.not_shown)
    (boot,) = proof.boots
    assert boot.asked_passphrase
    assert boot.home is None


@pytest.mark.spare
def test_a_wrong_passphrase_opens_nothing(tmp_path: Path) -> None:
    stick = replace(CASES[0], light=True).install(tmp_path / "stick.img")
    proof = prove_medium(stick, tmp_path, secret=b"pass-word of 2 words")
    assert proof.problems == (
        "boot 1: the passphrase was typed, yet the home in /LiveOS/home.img is not mounted",
    )
