# SPDX-License-Identifier: Apache-2.0
"""Names of devices, against what the machine that runs the tests has."""

import os
import stat
from pathlib import Path

import pytest

from liveos.host.block.machine import Machine, dev_path, number, whole
from tests.unit.host.block.machines import USB, Forge, write


def test_links_below_dev_are_followed(forge: Forge) -> None:
    disk = forge.disk("sdb", USB)
    part = forge.part(disk, 1)
    by_id = forge.root / "dev/disk/by-id"
    by_id.mkdir(parents=True)
    (by_id / "usb-SanDisk-part1").symlink_to("../../sdb1")
    assert forge.machine.named("/dev/disk/by-id/usb-SanDisk-part1") == part
    assert forge.machine.named("/dev/sdb") == disk
    assert forge.machine.named("/dev/nothing") is None
    assert forge.machine.named("tmpfs") is None


def test_numbers(tmp_path: Path) -> None:
    for text, expected in (("12", 12), ("", None), ("-1", None), ("٣", None)):
        write(tmp_path / "file", text)
        assert number(tmp_path / "file") == expected
    assert number(tmp_path / "missing") is None


def test_the_disks_of_this_machine() -> None:
    disks = Machine().disks()
    if not disks:
        pytest.skip("there is no block device here")
    for disk in disks:
        assert whole(disk) == disk
        special = Path(dev_path(disk))
        if special.exists() and stat.S_ISBLK(special.stat().st_mode):
            major, minor = os.major(special.stat().st_rdev), os.minor(special.stat().st_rdev)
            assert (disk / "dev").read_text().strip() == f"{major}:{minor}"
            assert Machine().at(special) == disk
