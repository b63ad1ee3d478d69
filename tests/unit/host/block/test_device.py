# SPDX-License-Identifier: Apache-2.0
"""What disks are, from the files that the kernel and udev have of them."""

from pathlib import Path

import pytest

from liveos.host.block.device import BlockDevice, device_at, devices
from tests.unit.host.block.machines import ATA, MMC, NVME, USB, Forge, write


def only(forge: Forge) -> BlockDevice:
    (found,) = devices(forge.machine)
    return found


def test_a_usb_stick(forge: Forge) -> None:
    disk = forge.disk(
        "sdb", USB, vendor="SanDisk ", model="Ultra           ", own_diskseq="17", own_removable="1"
    )
    usb = forge.root / "sys/devices/pci0000:00/0000:00:14.0/usb2/2-1"
    write(usb / "idVendor", "0781")
    write(usb / "serial", "4C530001")
    part = forge.part(disk, 1, gib=2)
    forge.udev(part, ID_FS_TYPE="vfat", ID_FS_LABEL="MY_STICK", ID_FS_LABEL_ENC="MY\\x20STICK")
    forge.udev(disk, ID_PART_TABLE_TYPE="gpt")
    found = only(forge)
    assert (found.path, found.size, found.bus) == (Path("/dev/sdb"), 8 << 30, "usb")
    assert (found.model, found.serial, found.diskseq) == ("SanDisk Ultra", "4C530001", 17)
    assert found.is_removable
    assert not found.is_read_only
    assert found.table == "gpt"
    (inner,) = found.parts
    assert (inner.path, inner.offset, inner.size) == (Path("/dev/sdb1"), 1 << 20, 2 << 30)
    assert (inner.filesystem, inner.label) == ("vfat", "MY STICK")


def test_a_hard_disk_has_its_serial_number_in_a_page(forge: Forge) -> None:
    disk = forge.disk("sda", ATA, vendor="ATA", model="ST1000LM048")
    (disk / "device/vpd_pg80").write_bytes(b"\0\x80\0\x10" + b"    WDEG0123    ")
    found = only(forge)
    assert (found.bus, found.model, found.serial) == ("ata", "ST1000LM048", "WDEG0123")
    assert not found.is_removable


def test_udev_knows_the_serial_number_best(forge: Forge) -> None:
    disk = forge.disk("sda", USB, vendor="WD", model="My Passport", serial="bridge")
    forge.udev(disk, ID_SERIAL_SHORT="57584D", ID_SERIAL="WD_My_Passport_57584D-0:0")
    assert only(forge).serial == "57584D"
    forge.udev(disk, ID_SERIAL_SHORT="57584D", ID_SCSI_SERIAL="WXM1E")
    assert only(forge).serial == "WXM1E"


def test_nvme(forge: Forge) -> None:
    forge.disk("nvme0n1", NVME, model="SAMSUNG MZVLB512", serial="S4EW")
    found = only(forge)
    assert (found.bus, found.model, found.serial) == ("nvme", "SAMSUNG MZVLB512", "S4EW")
    assert not found.is_removable


@pytest.mark.parametrize(("kind", "removable"), [("SD", True), ("MMC", False)])
def test_cards_come_out_and_soldered_memory_does_not(
    forge: Forge, kind: str, removable: bool
) -> None:
    forge.disk("mmcblk0", MMC, type=kind, name="SC32G", serial="0x1234abcd")
    found = only(forge)
    assert (found.bus, found.model, found.serial) == ("mmc", "SC32G", "0x1234abcd")
    assert found.is_removable is removable


def test_an_optical_drive(forge: Forge) -> None:
    forge.disk("sr0", ATA, type="5", model="DVD-RW", own_removable="1")
    assert only(forge).is_optical


def test_a_virtual_disk(forge: Forge) -> None:
    forge.disk("vda", "pci0000:00/0000:00:03.0/virtio1", vendor="0x1af4", own_serial="stick-1")
    found = only(forge)
    assert (found.bus, found.model, found.serial) == ("virtio", None, "stick-1")


def test_what_is_no_disk_is_not_listed_and_an_empty_reader_is(forge: Forge) -> None:
    for name in ("ram0", "fd0", "loop7", "zram0", "nbd3", "dm-9"):
        forge.disk(name, gib=0)
    forge.disk("nvme0c0n1", NVME, own_hidden="1")
    forge.disk("sdaa", USB.replace("host6", "host8"), gib=4)
    forge.disk("sdc", USB, gib=0)
    assert [(found.path.name, found.size) for found in devices(forge.machine)] == [
        ("sdc", 0),
        ("sdaa", 4 << 30),
    ]


def test_a_partition_names_its_disk(forge: Forge) -> None:
    disk = forge.disk("sdb", USB, model="Ultra")
    found = device_at(forge.part(disk, 2, gib=3), forge.machine)
    assert (found.path, found.disk) == (Path("/dev/sdb2"), Path("/dev/sdb"))
    assert (found.size, found.model) == (3 << 30, "Ultra")


def test_nothing_is_known_of_a_machine_without_sysfs(tmp_path: Path, forge: Forge) -> None:
    (forge.root / "sys/block").rmdir()
    assert devices(forge.machine) == ()
