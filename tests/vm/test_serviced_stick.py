# SPDX-License-Identifier: Apache-2.0
"""A stick that has been lived in: its overlay is looked into, made smaller and larger, and boots.

No mount, no root: the verbs work on the image file of the stick, as an ordinary user.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from liveos.operations.guests.guest import Guest
from tests.images.recipes import FLAT, NESTED, Recipe
from tests.vm.proofs import install, liveos
from tests.vm.visits import kept, tell, visit

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


def lived_in(recipe: Recipe, stick: Path, *options: str) -> list[str]:
    """Make a stick and live with it for a while; the sums of what was written."""
    sums: list[str] = []

    def live(guest: Guest) -> None:
        tell(guest, LIFE)
        sums.extend(kept(guest))

    visit(install(recipe, stick, *options), live)
    return sums


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
    stick = tmp_path / "lived.img"
    sums = lived_in(NESTED, stick, "--overlay", "300M")
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
    visit(stick, lambda guest: found.extend(kept(guest)))
    assert found == sums


def test_a_directory_is_looked_into(tmp_path: Path) -> None:
    stick = tmp_path / "lived.img"
    lived_in(FLAT, stick)
    status = asked("status", stick)
    assert status["kind"] == "directory"
    liveos("overlay", "check", stick)
    changes = asked("diff", stick, "--extract", tmp_path / "saved")
    shows_the_life(changes)
    # Without redirects, OverlayFS has copied the file and left a whiteout.
    assert "/etc/login.defs.renamed" in {*changes["added"], *(new for _, new in changes["renamed"])}
    assert (tmp_path / "saved" / "files" / "etc" / "liveos-kept").read_text() == "kept\n"
