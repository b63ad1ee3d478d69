# SPDX-License-Identifier: Apache-2.0
"""A stick that has been lived in: its overlay is looked into, made smaller and larger, and boots.

No mount, no root: the verbs work on the image file of the stick, as an ordinary user.
"""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from liveos.host.machine.qemu import Attachment, Drive
from liveos.operations.guests.guest import BootFiles, Guest, Patience
from liveos.operations.guests.kernel_words import PROOF_WORDS
from liveos.operations.guests.layer import make_layer
from liveos.operations.guests.menu_edits import edit_menus
from liveos.operations.prove.observation import Observation
from liveos.operations.prove.proving import ProveRequest, machine_for
from liveos.operations.prove.watched_boot import watch_boot
from tests.images.recipes import FLAT, NESTED, Recipe
from tests.vm.proofs import install, liveos

pytestmark = pytest.mark.vm

LIFE = """
mkdir /var/lib/kept && for i in $(seq 40); do head -c 100000 /dev/urandom > /var/lib/kept/$i; done
echo kept > /etc/liveos-kept
head -c 60000000 /dev/urandom > /var/lib/passing && sync
rm /var/lib/passing
rm /etc/issue.net
mv /etc/login.defs /etc/login.defs.renamed
chmod 600 /etc/debian_version
sync
"""
"""Changes of all kinds, and 60 MB that a snapshot has taken and does not give back."""


Words = Callable[[Guest], None]


def boot(stick: Path, workspace: Path, number: int, talk: Words) -> Path:
    """Boot a stick and talk to it; the layer that has taken its changes."""

    def task(guest: Guest, _seen: Observation) -> list[str]:
        talk(guest)
        return []

    layer = workspace / f"layer-{number}.qcow2"
    make_layer(stick, layer, edit_menus(stick, workspace, PROOF_WORDS).patches)
    drive = Drive(layer, Attachment.USB, "qcow2", throw_away=True)
    machine = machine_for(workspace, drive, ProveRequest())
    _, problems = watch_boot(machine, BootFiles(workspace, workspace, number), Patience(), task)
    assert problems == []
    return layer


def sums_of_what_is_kept(guest: Guest) -> list[str]:
    answer = guest.ask("cd /var/lib/kept && sha256sum *")
    assert answer.status == 0
    return sorted(answer.text.split("\n"))


def lived_in(recipe: Recipe, workspace: Path, *options: str) -> tuple[Path, list[str]]:
    """A new stick after some life, and the sums of what was written."""
    fresh, lived = workspace / "fresh.img", workspace / "lived.img"
    sums: list[str] = []

    def live(guest: Guest) -> None:
        for line in LIFE.strip().splitlines():
            answer = guest.ask(line)
            assert answer.status == 0, (line, answer.text)
        sums.extend(sums_of_what_is_kept(guest))

    layer = boot(install(recipe, fresh, *options), workspace, 1, live)
    command = ["qemu-img", "convert", "-O", "raw", str(layer), str(lived)]
    subprocess.run(command, check=True)
    fresh.unlink()
    return lived, sums


def asked(verb: str, *arguments: str | Path) -> dict[str, Any]:
    """The document that an overlay verb prints."""
    document: dict[str, Any] = json.loads(liveos("overlay", verb, "--json", *arguments))
    return document


def shows_the_life(changes: dict[str, Any]) -> None:
    added = set(changes["added"])
    assert {f"/var/lib/kept/{number}" for number in range(1, 41)} | {"/etc/liveos-kept"} <= added
    assert "/var/lib/passing" not in added
    assert "/etc/issue.net" in changes["removed"]
    assert "/etc/debian_version" in changes["metadata"]


def test_a_snapshot_is_looked_into_compacted_resized_and_boots(tmp_path: Path) -> None:
    stick, sums = lived_in(NESTED, tmp_path, "--overlay", "300M")
    full = asked("status", stick)
    liveos("overlay", "check", stick)
    changes = asked("diff", stick)
    shows_the_life(changes)
    assert ["/etc/login.defs", "/etc/login.defs.renamed"] in changes["renamed"]

    liveos("overlay", "compact", "--yes", stick)
    compact = asked("status", stick)
    # The 60 MB that were written and deleted are back, but for what other files use of them now.
    assert full["exceptions"] - compact["exceptions"] > 12_000
    liveos("overlay", "resize", "--yes", stick, "200M")
    assert asked("status", stick)["size"] == 200 << 20
    liveos("overlay", "check", stick)
    shows_the_life(asked("diff", stick))

    root = tmp_path / "root.img"
    liveos("overlay", "merge", "--yes", stick, "-o", root)
    for path in ("/etc/liveos-kept", "/etc/login.defs.renamed"):
        line = ["debugfs", "-R", f"cat {path}", str(root)]
        assert subprocess.run(line, check=True, capture_output=True).stdout
    subprocess.run(["e2fsck", "-fn", str(root)], check=True, capture_output=True)

    found: list[str] = []
    boot(stick, tmp_path, 2, lambda guest: found.extend(sums_of_what_is_kept(guest)))
    assert found == sums


def test_a_directory_is_looked_into(tmp_path: Path) -> None:
    stick, _ = lived_in(FLAT, tmp_path)
    status = asked("status", stick)
    assert status["kind"] == "directory"
    liveos("overlay", "check", stick)
    changes = asked("diff", stick, "--extract", tmp_path / "saved")
    shows_the_life(changes)
    # Without redirects, OverlayFS has copied the file and left a whiteout.
    assert "/etc/login.defs.renamed" in {*changes["added"], *(new for _, new in changes["renamed"])}
    assert (tmp_path / "saved" / "files" / "etc" / "liveos-kept").read_text() == "kept\n"
