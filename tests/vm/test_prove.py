# SPDX-License-Identifier: Apache-2.0
"""Sticks made by ``liveos install``, proved by three boots each; and sticks that must not pass.

`make test` runs this as an ordinary user: neither the installation nor the proof needs root.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from liveos.errors import ExitStatus
from liveos.host.machine.firmware import FirmwareKind
from liveos.medium.model import PersistenceKind
from liveos.operations.prove.proof import Showing
from tests.images.recipes import EROFS, FLAT, NESTED, Recipe
from tests.vm.proofs import (
    agrees_with_the_guest,
    digest,
    install,
    liveos,
    programs_that_name,
    prove_medium,
    wait_until,
)
from tests.vm.surgery import change_line, esp_offset, word_of

pytestmark = pytest.mark.vm

BIOS, UEFI, SECURE = FirmwareKind.BIOS, FirmwareKind.UEFI, FirmwareKind.UEFI_SECURE
SNAPSHOT, DIRECTORY = PersistenceKind.SNAPSHOT, PersistenceKind.DIRECTORY

# A home and swap on each, so that every boot of them is also one with these.
MEMORY = {
    NESTED: ("--overlay", "300M", "--home", "64M", "--plain-home", "--swap", "32M"),
    FLAT: ("--home", "64M", "--plain-home", "--swap", "32M"),
    EROFS: ("--home", "64M", "--plain-home", "--swap", "32M"),
}

Sticks = Callable[[Recipe], Path]


@pytest.fixture(scope="session")
def sticks(tmp_path_factory: pytest.TempPathFactory) -> Sticks:
    """An installed stick for each recipe, made when first asked for."""
    directory = tmp_path_factory.mktemp("sticks")

    def stick(recipe: Recipe) -> Path:
        path = directory / f"{recipe.name}.img"
        if not path.exists():
            install(recipe, path, *MEMORY[recipe])
        return path

    return stick


@pytest.mark.parametrize(
    ("recipe", "firmware", "kind", "showing"),
    [
        (NESTED, SECURE, SNAPSHOT, Showing.RESET),
        (FLAT, BIOS, DIRECTORY, Showing.RESET),
        pytest.param(EROFS, BIOS, DIRECTORY, Showing.RESET, marks=pytest.mark.spare),
        (FLAT, BIOS, DIRECTORY, Showing.NO_TRACE),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_stick_remembers_but_for_what_its_menu_empties_or_leaves_alone(
    sticks: Sticks,
    recipe: Recipe,
    firmware: FirmwareKind,
    kind: PersistenceKind,
    showing: Showing,
    tmp_path: Path,
) -> None:
    """The first boot's changes are gone from the second, whose own are there in the third."""
    stick = sticks(recipe)
    before = digest(stick)
    proof = prove_medium(stick, tmp_path, firmware, showing=showing)
    assert proof.problems == ()
    assert (len(proof.boots), proof.marker_survived) == (3, True)
    assert digest(stick) == before
    kept = proof.boots[1:] if showing is Showing.NO_TRACE else proof.boots
    agrees_with_the_guest(replace(proof, boots=kept), firmware, kind)
    for boot in kept:
        assert boot.home is not None
        assert [path.rpartition("/")[2] for path in boot.swap] == ["swap.img"]
    words = [boot.cmdline.split() for boot in proof.boots if boot.cmdline]
    if showing is Showing.RESET:
        assert ["rd.live.overlay.reset" in line for line in words] == [False, True, False]
    else:
        named = [any(word.startswith("rd.live.overlay=") for word in line) for line in words]
        assert named == [False, True, True]
        assert proof.boots[0].home is None


def changed(shim: bytes) -> bytes:
    """A word of the DOS stub is another one: nothing runs it, but the signature covers it."""
    assert shim[0x4E:0x52] == b"This"
    return shim[:0x4E] + b"That" + shim[0x52:]


def unsigned(shim: bytes) -> bytes:
    """The entry for signatures in the PE header (Microsoft's PE format, data directory 4) is 0."""
    header = int.from_bytes(shim[0x3C:0x40], "little")
    entry = header + 24 + 112 + 4 * 8
    assert any(shim[entry : entry + 8])
    return shim[:entry] + bytes(8) + shim[entry + 8 :]


@pytest.mark.parametrize("spoil", [changed, unsigned])
def test_secure_boot_refuses_a_loader_that_nobody_signed(
    sticks: Sticks, spoil: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """The very set-up that starts the signed chain above."""
    stick = tmp_path / "stick.img"
    shutil.copyfile(sticks(NESTED), stick)
    esp = f"{stick}@@{esp_offset(stick)}"
    loader = "::/EFI/BOOT/BOOTX64.EFI"
    shim = subprocess.run(["mcopy", "-i", esp, loader, "-"], check=True, capture_output=True)
    subprocess.run(["mcopy", "-o", "-i", esp, "-", loader], input=spoil(shim.stdout), check=True)
    proof = prove_medium(stick, tmp_path, SECURE)
    assert not proof.proved
    assert "Secure Boot" in proof.problems[0]


def test_silently_absent_persistence_is_caught(sticks: Sticks, tmp_path: Path) -> None:
    """A boot line that names an overlay which is not there boots all the same, into memory."""
    stick = tmp_path / "stick.img"
    shutil.copyfile(sticks(FLAT), stick)
    named = word_of(stick, "rd.live.overlay")
    elsewhere = named.replace("/LiveOS/overlay-", "/LiveOS/elsewhere-")
    assert elsewhere != named
    change_line(
        stick,
        drop=lambda word: word.startswith("rd.live.overlay="),
        add=[f"rd.live.overlay={elsewhere}"],
    )
    said = json.loads(liveos("--json", "prove", "-o", tmp_path / "logs", stick, status=3))
    assert said["proved"] is False
    assert said["marker_survived"] is None
    assert any(
        "changes go to memory" in problem and "nothing of that name" in problem
        for problem in said["problems"]
    )


def test_an_interrupted_proof_leaves_nothing_behind(sticks: Sticks, tmp_path: Path) -> None:
    scratch, logs = tmp_path / "scratch", tmp_path / "logs"
    scratch.mkdir()
    command = [sys.executable, "-m", "liveos", "prove", "-o", str(logs), str(sticks(NESTED))]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(scratch)}) as process:
        wait_until((logs / "boot-1-serial.log").exists)
        assert programs_that_name(scratch) != []
        process.terminate()
        assert process.wait(30) == ExitStatus.INTERRUPTED
    assert programs_that_name(scratch) == []
    assert list(scratch.iterdir()) == []
