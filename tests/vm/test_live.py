# SPDX-License-Identifier: Apache-2.0
"""Inside a booted live system: it makes another stick of itself, with its overlay and its home,
and its own stick gets another image.

The kernel, udev and device-mapper are real, and so is the second USB disk.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest

from liveos.host.machine.firmware import FirmwareKind
from liveos.medium.model import PersistenceKind
from liveos.operations.guests.guest import Guest, Patience
from tests.images.recipes import FLAT, NESTED, Recipe
from tests.vm.guest_python import MOUNT, PREPARE, command, make_disk
from tests.vm.proofs import agrees_with_the_guest, install, iso_of, liveos, prove_medium
from tests.vm.visits import kept, tell, visit

pytestmark = pytest.mark.vm

SIZE = 640 << 20
SERIAL = "SECOND"
OTHER = "flat"
ADD = ("install", "--yes", "/dev/vdb", "live", "--name")
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
    """An empty USB disk."""
    disk = directory / "second.img"
    with disk.open("wb") as file:
        file.truncate(SIZE)
    return disk, (
        *("-drive", f"if=none,id=second,format=raw,file={disk},cache=unsafe"),
        *("-device", f"usb-storage,drive=second,removable=on,serial={SERIAL}"),
    )


def program_and_iso(directory: Path) -> tuple[str, ...]:
    """/dev/vda with the program, /dev/vdb with an ISO."""
    words: list[str] = []
    for name, path in (("program", make_disk(directory)), ("iso", iso_of(FLAT))):
        drive = f"if=none,id={name},format=raw,readonly=on,file={path}"
        words += ("-drive", drive, "-device", f"virtio-blk-pci,drive={name}")
    return tuple(words)


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


def names_in(guest: Guest, verb: str) -> list[str]:
    found = json.loads(tell(guest, command(verb, "--json", "live")))
    assert found["kind"] == "live"
    return [image["name"] for image in found["images"]]


def refusal(guest: Guest, *words: str) -> str:
    refused = guest.ask(command(*words) + " 2>&1")
    assert refused.status == 4, refused.text
    return refused.text


def its_own_stick_gets_an_image(guest: Guest, how: str) -> None:
    """LIVE stays mounted as it is, ``how``; nobody touches what runs."""
    options = "findmnt -no OPTIONS /run/initramfs/live"
    assert tell(guest, options).startswith(how)
    assert "runs from" in refusal(guest, *ADD, "liveos")
    assert "live is ready" in tell(guest, command(*ADD, OTHER) + " 2>&1")
    assert tell(guest, options).startswith(how)


def has_both(
    stick: Path, first: str = NESTED.label, live: tuple[str, ...] = ("e2fsck", "-fn")
) -> None:
    """What the program says on another machine, and what the checkers of filesystems say."""
    listed = json.loads(liveos("list", "--json", stick))
    found = [(each["name"], each["title"], each["default"]) for each in listed["images"]]
    assert found == [("LiveOS", first, True), (OTHER, FLAT.label, False)]
    liveos("verify", stick)
    for name, check in (("LIVE", live), ("ESP", ("fsck.fat", "-n"))):
        partition = cut(stick, name)
        subprocess.run([*check, partition], check=True)
        partition.unlink()


def cut(stick: Path, name: str) -> Path:
    """A partition as a file of its own."""
    table = subprocess.run(["sfdisk", "--json", stick], capture_output=True, check=True).stdout
    parts = json.loads(table)["partitiontable"]["partitions"]
    part = next(each for each in parts if each["name"] == name)
    to = stick.with_suffix(f".{name}")
    numbers = (f"skip={part['start']}", f"count={part['size']}", "bs=512", "conv=sparse")
    subprocess.run(["dd", f"if={stick}", f"of={to}", *numbers, "status=none"], check=True)
    with to.open("r+b") as file:
        file.truncate(part["size"] * 512)
    return to


@pytest.mark.parametrize(
    "recipe",
    [NESTED, pytest.param(FLAT, marks=pytest.mark.spare)],
    ids=lambda recipe: recipe.name,
)
def test_a_running_system_makes_another_stick_of_itself(recipe: Recipe, tmp_path: Path) -> None:
    """With a snapshot, and with an upper directory."""
    size = ("--overlay", "64M", "--size", "1536M") if recipe is NESTED else ()
    stick = install(recipe, tmp_path / "stick.img", *size, "--home", "40M", "--plain-home")
    disk, more = second_disk(tmp_path)
    more = (*more, *program_and_iso(tmp_path))
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
        refused = refusal(guest, "install", "--yes", "--erase", "live", own)
        assert "/run/initramfs/live" in refused

        tell(guest, BUSY)
        options = ("--yes", "--erase", "--serial", SERIAL, "--copy-overlay", "--copy-home")
        assert "is ready" in tell(guest, command("install", *options, "live", other) + " 2>&1")
        tell(guest, "touch /var/lib/after")
        if recipe is NESTED:
            its_own_stick_gets_an_image(guest, "rw")
        tell(guest, f"umount {MOUNT}")

    visit(stick, copy, more=more, patience=Patience(answer=900.0))
    if recipe is NESTED:
        has_both(stick)
    inside(disk, sums)


@pytest.mark.spare
def test_a_stick_that_is_mounted_read_only_gets_an_image(tmp_path: Path) -> None:
    """Without an overlay somebody may have it so; the new image is proved."""
    stick = install(NESTED, tmp_path / "stick.img", "--overlay", "none", "--size", "1536M")

    def add(guest: Guest) -> None:
        tell(guest, PREPARE.replace("LABEL", "/dev/vda"))
        assert names_in(guest, "inspect") == ["LiveOS"]
        tell(guest, "mount -o ro /dev/disk/by-label/LIVE-BOOT /mnt")
        assert "mounted on /mnt" in refusal(guest, *ADD, OTHER)
        tell(guest, "umount /mnt && mount -o remount,ro /run/initramfs/live")
        its_own_stick_gets_an_image(guest, "ro")
        assert names_in(guest, "inspect") == ["LiveOS", OTHER]
        assert "runs from" in refusal(guest, "remove", "--yes", "--force", "live:LiveOS")

    visit(stick, add, more=program_and_iso(tmp_path), patience=Patience(answer=900.0))
    has_both(stick)
    proof = prove_medium(stick, tmp_path / "proof", image=OTHER)
    agrees_with_the_guest(proof, FirmwareKind.BIOS, PersistenceKind.DIRECTORY)


CHECKS = {"btrfs": ("btrfs", "check"), "f2fs": ("fsck.f2fs", "--dry-run")}


@pytest.mark.spare
@pytest.mark.parametrize("filesystem", CHECKS)
def test_a_stick_of_a_filesystem_that_is_only_written_mounted(
    filesystem: str, tmp_path: Path
) -> None:
    """It gets an image, which gets another name and is proved."""
    options = ("--filesystem", filesystem, "--size", "2G")
    stick = install(FLAT, tmp_path / "stick.img", *options)

    def add(guest: Guest) -> None:
        tell(guest, PREPARE.replace("LABEL", "/dev/vda"))
        assert tell(guest, "findmnt -no FSTYPE /run/initramfs/live").strip() == filesystem
        assert "runs from" in refusal(guest, *ADD, "liveos")
        tell(guest, command(*ADD, "First") + " 2>&1")
        tell(guest, command("rename", "--yes", "live:First", OTHER) + " 2>&1")
        assert names_in(guest, "list") == ["LiveOS", OTHER]
        tell(guest, f"umount {MOUNT}")

    visit(stick, add, more=program_and_iso(tmp_path), patience=Patience(answer=900.0))
    has_both(stick, FLAT.label, CHECKS[filesystem])
    proof = prove_medium(stick, tmp_path / "proof", image=OTHER)
    agrees_with_the_guest(proof, FirmwareKind.BIOS, PersistenceKind.DIRECTORY)


def inside(disk: Path, sums: list[str]) -> None:
    liveos("overlay", "check", disk)
    found: list[str] = []

    def look(guest: Guest) -> None:
        found.extend(kept(guest))
        tell(guest, "grep mine /home/mine")
        tell(guest, "test -s /var/lib/busy -a -s /home/busy -a ! -e /var/lib/after")

    visit(disk, look)
    assert found == sums
