# SPDX-License-Identifier: Apache-2.0
"""A stick changes the kind of its overlay, and back: its system shows the same root each time."""

from pathlib import Path

import pytest

from liveos.operations.guests.guest import Guest
from tests.images.recipes import NESTED
from tests.vm.manifest import differences, list_root, make_tree
from tests.vm.proofs import install, liveos
from tests.vm.visits import tell, visit

pytestmark = pytest.mark.vm

ROOT = "findmnt --noheadings --output FSTYPE --mountpoint /"


def test_both_ways_keep_every_kind_of_file(tmp_path: Path) -> None:
    stick = install(NESTED, tmp_path / "stick.img", "--overlay", "150M")
    roots: list[dict[str, str]] = []
    filesystems: list[str] = []

    def look(guest: Guest) -> None:
        filesystems.append(tell(guest, ROOT).strip())
        roots.append(list_root(guest))

    def live(guest: Guest) -> None:
        make_tree(guest)
        look(guest)

    visit(stick, live)
    liveos("overlay", "convert", "--yes", "--to", "directory", stick)
    visit(stick, look)
    liveos("overlay", "convert", "--yes", "--to", "snapshot", "--size", "150M", stick)
    visit(stick, look)
    assert filesystems == ["ext4", "overlay", "ext4"]
    first, second, third = roots
    assert len([path for path in first if path.startswith("/var/lib/tree/")]) == 22
    assert differences(first, second) == []
    assert differences(first, third) == []
