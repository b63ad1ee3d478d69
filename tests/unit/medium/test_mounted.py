# SPDX-License-Identifier: Apache-2.0
"""Which disk a directory is a mounted partition of, by a made-up /proc and /sys."""

from pathlib import Path

import pytest

from liveos.medium.mounted import MountedPartition, partition_at
from tests.unit.host.block.machines import USB, Forge


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    """A stick with three partitions; the third is mounted at /run/initramfs/live."""
    forge = Forge(tmp_path)
    disk = forge.disk("sdb", USB)
    parts = [forge.part(disk, number) for number in (1, 2, 3)]
    (tmp_path / "run/initramfs/live").mkdir(parents=True)
    forge.mount_device("/run/initramfs/live", parts[2])
    return forge


def test_a_partition_and_those_beside_it(forge: Forge) -> None:
    dev = forge.root / "dev"
    found = partition_at(forge.root / "run/initramfs/live", forge.root)
    devices = {number: dev / f"sdb{number}" for number in (1, 2, 3)}
    mount = forge.root / "run/initramfs/live"
    assert found == MountedPartition(
        mount=mount,
        filesystem="ext4",
        read_only=False,
        disk=dev / "sdb",
        number=3,
        devices=devices,
    )


def test_of_two_at_one_place_the_later_one_shows(forge: Forge) -> None:
    card = forge.disk("mmcblk0")
    forge.mount_device("/run/initramfs/live", forge.part(card, 1))
    found = partition_at(forge.root / "run/initramfs/live", forge.root)
    assert found is not None
    assert (found.disk.name, found.devices[1].name) == ("mmcblk0", "mmcblk0p1")


def test_what_is_no_partition(forge: Forge) -> None:
    assert partition_at(forge.root / "run", forge.root) is None
    forge.mount_device("/run", forge.disk("sr0"))
    assert partition_at(forge.root / "run", forge.root) is None


def test_a_btrfs_has_a_number_of_its_own(forge: Forge) -> None:
    """What the kernel shows as its source names the device."""
    forge.mount("/run", "0:41", "btrfs", "/dev/sdb2")
    found = partition_at(forge.root / "run", forge.root)
    assert found is not None
    assert (found.disk.name, found.number, found.filesystem) == ("sdb", 2, "btrfs")


def test_a_part_of_a_filesystem_is_not_the_partition(forge: Forge) -> None:
    forge.mounted += "40 1 8:3 /sub /run rw - ext4 /dev/sdb2 rw\n"
    (forge.root / "proc/self/mountinfo").write_text(forge.mounted)
    assert partition_at(forge.root / "run", forge.root) is None
