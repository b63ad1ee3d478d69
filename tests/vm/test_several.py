# SPDX-License-Identifier: Apache-2.0
"""Three generations on one stick: each starts from the menu, and each keeps its own changes.

Then one goes, and one gets a newer ISO; the files of the third are what they were.
"""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from liveos.host.machine.firmware import FirmwareKind
from liveos.medium.model import PersistenceKind
from liveos.operations.prove.proof import Proof, Showing
from tests.images.recipes import EROFS, FLAT, NESTED
from tests.vm.proofs import agrees_with_the_guest, install, iso_of, liveos, prove_medium, report_of

pytestmark = pytest.mark.vm

BIOS, UEFI, SECURE = FirmwareKind.BIOS, FirmwareKind.UEFI, FirmwareKind.UEFI_SECURE
SNAPSHOT, DIRECTORY = PersistenceKind.SNAPSHOT, PersistenceKind.DIRECTORY
IMAGES = {"LiveOS": SNAPSHOT, "trixie": DIRECTORY, "forky": PersistenceKind.IMAGE}
GENERATIONS = {"LiveOS": NESTED, "trixie": FLAT, "forky": EROFS}


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nested with a snapshot; flat with a directory and a plain home; EROFS with an image."""
    made = tmp_path_factory.mktemp("several") / "stick.img"
    install(NESTED, made, "--size", "2G", "--overlay", "200M")
    home = ("--home", "64M", "--plain-home")
    _add(made, "trixie", *home)
    _add(made, "forky", "--overlay-kind", "image", "--overlay", "200M")
    return made


def _add(stick: Path, name: str, *options: str) -> None:
    words = ("install", "--add", "--yes", "--name", name, *options)
    liveos(*words, iso_of(GENERATIONS[name]), stick)


def prove_image(
    stick: Path,
    output: Path,
    name: str,
    firmware: FirmwareKind = BIOS,
    showing: Showing | None = None,
) -> Proof:
    """What is asked for of one image: the others are in the menu, too."""
    proof = prove_medium(stick, output, firmware, showing=showing, image=name)
    assert proof.problems == ()
    for boot in proof.boots:
        assert report_of(boot)["generation"] == GENERATIONS[name].name
        assert (f"rd.live.dir={name}" in (boot.cmdline or "").split()) is (name != "LiveOS")
    return proof


@pytest.mark.parametrize(
    ("name", "firmware"), [("LiveOS", BIOS), ("trixie", SECURE), ("forky", UEFI)]
)
def test_each_starts_from_the_menu_and_remembers(
    stick: Path, tmp_path: Path, name: str, firmware: FirmwareKind
) -> None:
    proof = prove_image(stick, tmp_path, name, firmware)
    agrees_with_the_guest(proof, firmware, IMAGES[name])
    for boot in proof.boots:
        assert (boot.home is not None) is (name == "trixie")


@pytest.mark.spare
@pytest.mark.parametrize(
    ("name", "firmware"), [("LiveOS", UEFI), ("trixie", UEFI), ("trixie", BIOS), ("forky", BIOS)]
)
def test_the_loaders_of_one_start_all(
    stick: Path, tmp_path: Path, name: str, firmware: FirmwareKind
) -> None:
    prove_image(stick, tmp_path, name, firmware, Showing.BOOTS)


def test_syslinux_has_both_in_its_menu(tmp_path: Path) -> None:
    """On a GPT, with the second one as the default; UEFI has GRUB's menu of the same images."""
    stick = tmp_path / "stick.img"
    install(NESTED, stick, "--size", "1536M", "--overlay", "64M", "--bootloader", "syslinux")
    _add(stick, "trixie")
    liveos("default", "--yes", f"{stick}:trixie")
    proof = prove_image(stick, tmp_path / "proof", "trixie")
    agrees_with_the_guest(proof, BIOS, DIRECTORY)


def test_one_goes_and_one_is_renewed_and_the_third_stays_as_it_was(
    stick: Path, tmp_path: Path
) -> None:
    """The newer ISO has what the older one had, under another label: there is no newer one."""
    newer = tmp_path / "newer.iso"
    relabel = ("-volid", "Debian-WS-Live-13-1-5", "-boot_image", "any", "replay")
    run("xorriso", "-indev", iso_of(FLAT), "-outdev", newer, *relabel)
    before = files_of(stick, "forky")
    liveos("default", "--yes", f"{stick}:forky")
    liveos("remove", "--yes", f"{stick}:LiveOS")
    liveos("update", "--yes", "--no-verify", "--overlay", "keep", f"{stick}:trixie", newer)
    assert files_of(stick, "forky") == before
    listed: dict[str, Any] = json.loads(liveos("list", "--json", stick))
    assert [(each["name"], each["title"], each["default"]) for each in listed["images"]] == [
        ("forky", "Debian-WS-Live-14", True),
        ("trixie", "Debian-WS-Live-13-1-5", False),
    ]
    unchanged = prove_image(stick, tmp_path / "forky", "forky", BIOS, Showing.BOOTS)
    agrees_with_the_guest(unchanged, BIOS, IMAGES["forky"])
    liveos("rename", "--yes", f"{stick}:trixie", "flat")
    proof = prove_medium(stick, tmp_path / "flat", UEFI, showing=Showing.BOOTS, image="flat")
    assert proof.problems == ()
    assert report_of(proof.boots[0])["generation"] == "flat"
    assert proof.boots[0].home is not None


def run(*words: str | Path) -> bytes:
    done = subprocess.run([str(word) for word in words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_of(stick: Path, name: str) -> dict[str, str]:
    """The sums of an image's files, as debugfs and mtools read them."""
    table = json.loads(run("sfdisk", "--json", stick))["partitiontable"]["partitions"]
    offsets = {part["name"]: part["start"] * 512 for part in table}
    live, esp = f"{stick}?offset={offsets['LIVE']}", f"{stick}@@{offsets['ESP']}"
    rows = run("debugfs", "-R", f"ls -p /{name}", live).decode().splitlines()
    fields = [row.split("/") for row in rows if row]
    names = [each[5] for each in fields if each[2].startswith("100")]  # regular files
    found = {each: run("debugfs", "-R", f"cat /{name}/{each}", live) for each in names}
    for path in run("mdir", "-b", "-i", esp, f"::/liveos/{name}").decode().split():
        found[path] = run("mcopy", "-i", esp, path, "-")
    assert len(found) == 6  # root, overlay, record; kernel, initramfs, menu
    return {path: hashlib.sha256(content).hexdigest() for path, content in found.items()}
