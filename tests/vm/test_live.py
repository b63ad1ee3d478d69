# SPDX-License-Identifier: Apache-2.0
"""Inside a booted live system: it makes another stick of itself, with its overlay and its home.

The kernel, udev and device-mapper are real, and so is the second USB disk.
"""

import json
import re
from pathlib import Path

import pytest

from liveos.operations.guests.guest import Guest, Patience
from tests.images.recipes import FLAT, NESTED, Recipe
from tests.vm.guest_python import MOUNT, PREPARE, command, make_disk
from tests.vm.proofs import install, liveos
from tests.vm.visits import kept, tell, visit

pytestmark = pytest.mark.vm

SIZE = 640 << 20
SERIAL = "SECOND"
LIFE = """
mkdir /var/lib/kept && for i in $(seq 20); do head -c 100000 /dev/urandom > /var/lib/kept/$i; done
findmnt /home
echo mine > /home/mine
sync
"""
# Something that writes all the time, so that what is copied is never still by itself.
# It appends: a file that is being replaced is empty for the moment, and may be copied so.
BUSY = "(while :; do date >> /var/lib/busy; date >> /home/busy; sleep 1; done >/dev/null 2>&1 &)"


def second_disk(directory: Path) -> tuple[Path, tuple[str, ...]]:
    """An empty USB disk, and the one with the program."""
    disk, program = directory / "second.img", make_disk(directory)
    with disk.open("wb") as file:
        file.truncate(SIZE)
    return disk, (
        *("-drive", f"if=none,id=second,format=raw,file={disk},cache=unsafe"),
        *("-device", f"usb-storage,drive=second,removable=on,serial={SERIAL}"),
        *("-drive", f"if=none,id=program,format=raw,readonly=on,file={program}"),
        *("-device", "virtio-blk-pci,drive=program"),
    )


def numbers(status: str) -> list[int]:
    """Allocated, total and metadata sectors of a line of ``dmsetup status``."""
    return [int(word) for word in re.split("[/ ]", status.split(maxsplit=3)[3].strip())]


def status_is_that_of_the_kernel(guest: Guest) -> None:
    """The system writes its log meanwhile, and never gives back what is taken."""
    before = numbers(tell(guest, "dmsetup status live-rw"))
    status = json.loads(tell(guest, command("overlay", "status", "--json", "live")))
    after = numbers(tell(guest, "dmsetup status live-rw"))
    said = numbers(f"0 0 snapshot {status['status_line']}")
    assert all(low <= now <= high for low, now, high in zip(before, said, after, strict=True))


@pytest.mark.parametrize(
    "recipe",
    [NESTED, pytest.param(FLAT, marks=pytest.mark.spare)],
    ids=lambda recipe: recipe.name,
)
def test_a_running_system_makes_another_stick_of_itself(recipe: Recipe, tmp_path: Path) -> None:
    """With a snapshot, and with an upper directory."""
    size = ("--overlay", "64M") if recipe is NESTED else ()
    stick = install(recipe, tmp_path / "stick.img", *size, "--home", "40M", "--plain-home")
    disk, more = second_disk(tmp_path)
    sums: list[str] = []

    def copy(guest: Guest) -> None:
        tell(guest, LIFE)
        tell(guest, PREPARE.replace("LABEL", "/dev/vda"))
        sums.extend(kept(guest))
        booted = tell(guest, "findmnt -no SOURCE /run/initramfs/live").strip()
        own = "/dev/" + tell(guest, f"lsblk -dno PKNAME {booted}").strip()
        found = tell(guest, f"lsblk -dno NAME,SERIAL | grep {SERIAL}")
        other = "/dev/" + found.split()[0]

        if recipe is NESTED:
            status_is_that_of_the_kernel(guest)
        refused = guest.ask(command("install", "--yes", "--erase", "live", own) + " 2>&1")
        assert refused.status == 4, refused.text
        assert "/run/initramfs/live" in refused.text

        tell(guest, BUSY)
        options = ("--yes", "--erase", "--serial", SERIAL, "--copy-overlay", "--copy-home")
        assert "is ready" in tell(guest, command("install", *options, "live", other) + " 2>&1")
        tell(guest, f"touch /var/lib/after; umount {MOUNT}")

    visit(stick, copy, more=more, patience=Patience(answer=900.0))
    inside(disk, sums)


def inside(disk: Path, sums: list[str]) -> None:
    liveos("overlay", "check", disk)
    found: list[str] = []

    def look(guest: Guest) -> None:
        found.extend(kept(guest))
        tell(guest, "grep mine /home/mine")
        tell(guest, "test -s /var/lib/busy -a -s /home/busy -a ! -e /var/lib/after")

    visit(disk, look)
    assert found == sums
