# SPDX-License-Identifier: Apache-2.0
"""An ordinary user makes a stick through the real udisks2, which asks the real polkit.

The kernel, udev, systemd and the bus are those of a booted live system; the stick is a USB disk.
The image is small and does not start: what is shown is who may write it, and what arrives.
"""

import json
import random
import subprocess
from pathlib import Path

import pytest

from liveos.errors import ExitStatus
from liveos.operations.guests.guest import Guest, Patience
from tests.images.recipes import NESTED
from tests.tools.medium.media import make_iso
from tests.unit.medium.eras import ERAS
from tests.vm.guest_python import PREPARE, WITH_UDISKS, make_disk
from tests.vm.proofs import install, liveos
from tests.vm.udisks_guest import DAEMONS, allow, as_user
from tests.vm.visits import tell, visit

pytestmark = pytest.mark.vm

MIB = 1 << 20
SIZE = 256 * MIB
SERIAL = "SECOND"
KERNEL = 24 * MIB
"""So much larger than what udev reads of a disk that the two cannot be mistaken."""
ISO = "/var/tmp/image.iso"
INSTALL = ("install", "--yes", "--erase", "--serial", SERIAL, "--overlay", "16M", ISO)
_SAID = "/run/said"


def small_iso(directory: Path) -> Path:
    """An ISO with everything that is looked at, and a kernel of some size."""
    era = ERAS["fedora-36"]()
    tree = era.write(directory / "tree")
    with (tree / "images/pxeboot/vmlinuz").open("ab") as kernel:
        kernel.write(random.Random(5).randbytes(KERNEL))
    return make_iso(tree, directory / "small.iso", era.label)


def used_stick(directory: Path) -> Path:
    """A stick with a partition for photographs."""
    disk = directory / "used.img"
    with disk.open("wb") as file:
        file.truncate(SIZE)
    table = b"label: dos\nstart=2048, type=c\n"
    subprocess.run(["sfdisk", "--quiet", disk], input=table, check=True)
    make = ("mkfs.fat", "-n", "PHOTOS", "--offset", "2048", disk, str((SIZE - MIB) // 1024))
    subprocess.run(make, stdout=subprocess.DEVNULL, check=True)
    return disk


def disks(program: Path, iso: Path, stick: Path) -> tuple[str, ...]:
    """/dev/vda with the program, /dev/vdb with an ISO, and a USB stick."""
    words: list[str] = []
    for name, path in (("program", program), ("iso", iso)):
        drive = f"if=none,id={name},format=raw,readonly=on,file={path}"
        words += ("-drive", drive, "-device", f"virtio-blk-pci,drive={name}")
    return (
        *words,
        *("-drive", f"if=none,id=stick,format=raw,file={stick},cache=unsafe"),
        *("-device", f"usb-storage,drive=stick,removable=on,serial={SERIAL}"),
    )


def test_an_ordinary_user_makes_a_stick(tmp_path: Path) -> None:
    booted = install(NESTED, tmp_path / "stick.img")
    stick, program = used_stick(tmp_path), make_disk(tmp_path, WITH_UDISKS, ("jeepney",))
    more = disks(program, small_iso(tmp_path), stick)
    visit(booted, make_stick, more=more, patience=Patience(answer=300.0))
    liveos("verify", stick)
    (image,) = json.loads(liveos("list", "--json", stick))["images"]
    assert image["title"] == ERAS["fedora-36"]().label


def make_stick(guest: Guest) -> None:
    tell(guest, PREPARE.replace("LABEL", "/dev/vda"))
    tell(guest, f"cat /dev/vdb > {ISO}")
    tell(guest, DAEMONS)
    device = the_stick(guest)
    before = traffic(guest)

    refused = said(guest, ExitStatus.NOT_PERMITTED, *INSTALL, device)
    assert "Not authorized" in refused
    assert "no agent that asks" in refused
    assert "run this as root" in refused
    assert traffic(guest)["wr_bytes"] == before["wr_bytes"]

    # The user has no seat here: at the machine, everybody may switch a stick off.
    allow(guest, "open-device", "power-off-drive-other-seat")
    made = said(guest, ExitStatus.DONE, *INSTALL, device)
    assert f"{device} is ready" in made
    assert f"{device} has been detached" in made
    tell(guest, f'test ! -e {device}\ntest -z "$(ls /var/tmp/liveos-* 2>/dev/null)"')
    assert traffic(guest)["rd_bytes"] - before["rd_bytes"] > KERNEL  # not from the page cache


def the_stick(guest: Guest) -> str:
    """The one device that is offered to the user, with what is known to be on it."""
    listed = json.loads(tell(guest, as_user("devices", "--json")))["devices"]
    (found,) = [each for each in listed if each["refused"] is None]
    assert (found["serial"], found["bus"], found["size"]) == (SERIAL, "usb", SIZE)
    assert [part["label"] for part in found["partitions"]] == ["PHOTOS"]
    return str(found["path"])


def said(guest: Guest, status: ExitStatus, *words: str) -> str:
    """What the program tells the user, who has it in a file."""
    line = f"{as_user(*words)} >{_SAID} 2>&1; status=$?; cat {_SAID}; (exit $status)"
    answer = guest.ask(line)
    assert answer.status == status, answer.text
    return answer.text


def traffic(guest: Guest) -> dict[str, int]:
    """What has gone to the stick and come from it, as QEMU has counted."""
    known = guest.monitor.execute("query-blockstats")
    (stick,) = [each["stats"] for each in known if each["device"] == "stick"]
    return dict(stick)
