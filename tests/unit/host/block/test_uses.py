# SPDX-License-Identifier: Apache-2.0
"""What disks are used by, through every kind of device that lies between."""

from pathlib import Path

from liveos.host.block.uses import Use, uses_of
from tests.unit.host.block.machines import ATA, NVME, USB, Forge, write


def sentences(forge: Forge, disk: Path) -> list[str]:
    return [use.sentence for use in uses_of(disk, forge.machine)]


def system(forge: Forge, disk: Path) -> list[str]:
    return [use.sentence for use in uses_of(disk, forge.machine) if use.is_system]


def test_a_free_disk(forge: Forge) -> None:
    disk = forge.disk("sdb", USB)
    forge.part(disk, 1)
    forge.mount("/", "0:21", "tmpfs", "tmpfs")
    assert sentences(forge, disk) == []


def test_a_mounted_partition(forge: Forge) -> None:
    disk = forge.disk("sdb", USB)
    forge.mount_device("/run/media/me/My\\040Stick", forge.part(disk, 1))
    sentence = "/dev/sdb1 is mounted on /run/media/me/My Stick"
    assert uses_of(disk, forge.machine) == (Use(sentence, is_system=False),)


def test_another_partition_of_the_same_disk_is_free(forge: Forge) -> None:
    disk = forge.disk("sdb", USB)
    forge.mount_device("/mnt", forge.part(disk, 1))
    assert sentences(forge, forge.part(disk, 2)) == []


def test_a_disk_that_is_mounted_without_partitions(forge: Forge) -> None:
    disk = forge.disk("sdb", USB)
    forge.mount_device("/mnt", disk)
    assert sentences(forge, disk) == ["/dev/sdb is mounted on /mnt"]


def test_the_root_on_lvm_in_luks(forge: Forge) -> None:
    disk = forge.disk("nvme0n1", NVME)
    part = forge.part(disk, 3)
    luks = forge.stack(forge.disk("dm-0"), part)
    write(luks / "dm/name", "luks-1234")
    write(luks / "dm/uuid", "CRYPT-LUKS2-1234")
    root = forge.stack(forge.disk("dm-1"), luks)
    forge.mount_device("/", root, "/dev/mapper/vg-root")
    assert sentences(forge, disk) == [
        "/dev/dm-1 is mounted on / (through /dev/dm-0, /dev/nvme0n1p3)",
        "/dev/nvme0n1p3 is used by /dev/dm-0 (CRYPT luks-1234)",
    ]
    assert len(system(forge, disk)) == 1


def test_a_raid_over_two_disks(forge: Forge) -> None:
    disks = [forge.disk("sda", ATA), forge.disk("sdb", ATA.replace("ata1", "ata2"))]
    raid = forge.stack(forge.disk("md127"), *(forge.part(disk, 1) for disk in disks))
    write(raid / "md/level", "raid1")
    for disk in disks:
        assert sentences(forge, disk) == [f"/dev/{disk.name}1 is used by /dev/md127 (raid1)"]
    forge.mount_device("/home", raid)
    for disk in disks:
        assert system(forge, disk) == [
            f"/dev/md127 is mounted on /home (through /dev/{disk.name}1)"
        ]


def test_a_btrfs_over_two_disks_of_which_mountinfo_names_one(forge: Forge) -> None:
    first, second = forge.disk("sda", ATA), forge.disk("sdb", USB)
    parts = [forge.part(first, 2), forge.part(second, 1)]
    devices = forge.root / "sys/fs/btrfs/6a1f/devices"
    devices.mkdir(parents=True)
    for part in parts:
        (devices / part.name).symlink_to(part)
    forge.mount("/", "0:29", "btrfs", "/dev/sda2")
    assert system(forge, first) == ["/dev/sda2 is mounted on /"]
    assert system(forge, second) == ["/dev/sdb1 is mounted on /"]


def test_a_bcachefs_names_all_its_disks_in_its_source(forge: Forge) -> None:
    forge.disk("sda", ATA)
    second = forge.disk("sdb", USB)
    forge.mount("/srv", "0:30", "bcachefs", "/dev/sda:/dev/sdb")
    assert system(forge, second) == ["/dev/sdb is mounted on /srv"]


def test_swap_on_a_partition_and_on_a_logical_volume(forge: Forge) -> None:
    disk = forge.disk("sda", ATA)
    forge.part(disk, 1)
    volume = forge.stack(forge.disk("dm-4"), forge.part(disk, 2))
    write(volume / "dm/name", "vg-swap")
    head = "Filename\tType\tSize\tUsed\tPriority\n"
    write(
        forge.root / "proc/swaps", head + "/dev/sda1 partition 8 0 -2\n/dev/dm-4 partition 8 0 -3"
    )
    assert system(forge, disk) == [
        "/dev/sda1 is swap space in use",
        "/dev/dm-4 is swap space in use (through /dev/sda2)",
    ]


def test_a_swap_file(forge: Forge) -> None:
    disk = forge.disk("sdb", USB)
    forge.mount("/", "0:20", "tmpfs", "tmpfs")
    forge.mount_device("/mnt/data", forge.part(disk, 1))
    write(forge.root / "proc/swaps", "Filename\n/mnt/data/swap file 8 0 -2")
    assert system(forge, disk) == ["/dev/sdb1 holds the swap file /mnt/data/swap, which is in use"]


def test_zram_with_a_disk_behind_it(forge: Forge) -> None:
    disk = forge.disk("sdb", USB)
    forge.part(disk, 1)
    forge.disk("zram0", own_backing_dev="/dev/sdb1")
    write(forge.root / "proc/swaps", "Filename\n/dev/zram0 partition 8 0 100")
    assert system(forge, disk) == ["/dev/zram0 is swap space in use (through /dev/sdb1)"]


def test_the_stick_under_a_live_system(forge: Forge) -> None:
    """dracut's: a snapshot over loop devices whose files lie on the stick, mounted below /run."""
    disk = forge.disk("sdb", USB)
    stick = forge.part(disk, 3)
    loops = [forge.disk("loop1"), forge.disk("loop2")]
    for loop, file in zip(loops, ("squashfs.img", "overlay-LIVE-1"), strict=True):
        write(loop / "loop/backing_file", f"/run/initramfs/live/LiveOS/{file}")
    root = forge.stack(forge.disk("dm-0"), *loops)
    write(root / "dm/name", "live-rw")
    forge.mount_device("/", root, "/dev/mapper/live-rw")
    forge.mount_device("/run/initramfs/live", stick)
    assert system(forge, disk) == [
        "/dev/dm-0 is mounted on / (through /dev/loop2, /dev/sdb3)",
        "/dev/sdb3 is mounted on /run/initramfs/live",
    ]


def test_a_loop_device_upon_a_disk(forge: Forge) -> None:
    disk = forge.disk("sdb", USB)
    write(forge.disk("loop0") / "loop/backing_file", "/dev/sdb")
    assert sentences(forge, disk) == ["/dev/sdb is attached to /dev/loop0"]


def test_hostile_links_that_make_a_circle(forge: Forge) -> None:
    first, second = forge.disk("dm-0"), forge.disk("dm-1")
    forge.stack(first, second)
    forge.stack(second, first)
    forge.mount_device("/", first)
    assert sentences(forge, forge.disk("sdb", USB)) == []


def test_names_with_a_slash(forge: Forge) -> None:
    disk = forge.disk("cciss!c0d0")
    part = forge.part(disk, 1)
    forge.mount("/srv", "0:31", "btrfs", "/dev/cciss/c0d0p1")
    assert part.name == "cciss!c0d0p1"
    assert sentences(forge, disk) == ["/dev/cciss/c0d0p1 is mounted on /srv"]
