# SPDX-License-Identifier: Apache-2.0
"""Which mounted partition is a stick's LIVE, and whether the system runs from it."""

from pathlib import Path

import pytest

from liveos.errors import UnsupportedError
from liveos.medium.model import MediumKind, Partition
from liveos.medium.mounted import MountedPartition
from liveos.medium.mounted_stick import behind_esp, require_live, run_from, stick_at
from liveos.medium.scene import Scene
from tests.unit.host.block.machines import USB, Forge

ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
LIVE = "run/initramfs/live"


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    """A stick whose third partition is mounted at two places."""
    forge = Forge(tmp_path)
    disk = forge.disk("sdb", USB)
    parts = [forge.part(disk, number) for number in (1, 2, 3)]
    for place in (LIVE, "mnt", "home"):
        (tmp_path / place).mkdir(parents=True)
    forge.mount_device("/mnt", parts[2])
    return forge


def scene(*types: str) -> Scene:
    """A disk with partitions of these types, the last first in the table."""
    count = len(types)
    partitions = [
        Partition(count - place, "", each, place * 1000, 1000, None, None, None)
        for place, each in enumerate(types)
    ]
    return Scene(Path("stick"), MediumKind.DISK, None, None, partitions=tuple(partitions[::-1]))


def mounted(forge: Forge) -> MountedPartition:
    found = stick_at(forge.root / "mnt", forge.root)
    assert found is not None
    return found


def test_a_directory_is_where_something_is_mounted(forge: Forge) -> None:
    assert mounted(forge).number == 3
    assert stick_at(forge.root / "stick.img", forge.root) is None
    with pytest.raises(UnsupportedError, match=r"no partition .* is mounted at .*/home"):
        stick_at(forge.root / "home", forge.root)


def test_what_is_not_changed_while_it_is_mounted(forge: Forge) -> None:
    forge.mount("/home", "8:3", "vfat", "/dev/sdb2")
    with pytest.raises(UnsupportedError, match="its files are on vfat"):
        stick_at(forge.root / "home", forge.root)


def test_the_system_that_runs_from_it(forge: Forge) -> None:
    """It has it mounted elsewhere, too."""
    assert run_from(mounted(forge), forge.root) is None
    forge.mount_device(f"/{LIVE}", forge.root / "sys/dev/block/8:3")
    assert run_from(mounted(forge), forge.root) is None
    forge.mount_device(f"/{LIVE}", forge.root / "sys/dev/block/8:4")
    running = run_from(mounted(forge), forge.root)
    assert running is not None
    assert (running.disk, running.partition) == ("sdb", 3)


def test_the_images_are_behind_the_esp(forge: Forge) -> None:
    usual = scene("bios", ESP, LINUX, "data")
    live = behind_esp(usual)
    assert live is not None
    assert (live.number, live.type) == (2, LINUX)
    with pytest.raises(
        UnsupportedError, match=r"partition 3 of .*, and its images are on part.* 2"
    ):
        require_live(usual, mounted(forge))
    require_live(scene("ef", LINUX, "data", "more"), mounted(forge))
    for other in (scene(LINUX), scene(LINUX, ESP)):
        with pytest.raises(UnsupportedError, match="no stick that liveos made"):
            require_live(other, mounted(forge))
