# SPDX-License-Identifier: Apache-2.0
"""Which image a live system was booted from, by a made-up /proc and /sys.

Names are those that dracut 059 and 106 leave (boot-contract.md 1.3, 2.0; seen in the test images).
"""

from pathlib import Path

import pytest

from liveos.errors import RefusedError, UnsupportedError
from liveos.medium.running import (
    Running,
    find_running,
    is_live,
    require_other,
    require_other_disk,
)

ROOT = "25 1 254:0 / / rw,relatime shared:1 - ext4 /dev/mapper/live-rw rw\n"
STICK = "30 25 8:19 / /run/initramfs/live rw,relatime - ext4 /dev/sdb3 rw\n"
DISC = "30 25 11:0 / /run/initramfs/live ro,relatime - iso9660 /dev/sr0 ro\n"
HOME = "44 25 7:3 / /home rw,relatime - ext4 /dev/loop3 rw\n"
ENCRYPTED = "44 25 254:7 / /home rw,relatime - ext4 /dev/mapper/home rw\n"
OVERLAYFS = (
    "25 1 0:31 / / rw,relatime - overlay LiveOS_rootfs"
    " rw,lowerdir=/run/rootfsbase,upperdir=/run/overlayfs,workdir=/run/ovlwork\n"
)


def system(tmp_path: Path, mounts: str, *, cmdline: str = "", **loops: str) -> Path:
    """``loops`` are the files behind loop devices, by the devices' names."""
    for directory in ("proc/self", "sys/dev/block", "sys/block", "run/initramfs/live"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(mounts)
    (tmp_path / "proc/cmdline").write_text(cmdline)
    devices = tmp_path / "sys/devices"
    stick = devices / "usb/block/sdb/sdb3"
    stick.mkdir(parents=True)
    (stick / "partition").write_text("3\n")
    (tmp_path / "sys/dev/block/8:19").symlink_to(stick)
    (devices / "ata/block/sr0").mkdir(parents=True)
    (tmp_path / "sys/dev/block/11:0").symlink_to(devices / "ata/block/sr0")
    for name, file in loops.items():
        number = f"7:{name.removeprefix('loop')}"
        (devices / name / "loop").mkdir(parents=True)
        (devices / name / "loop/backing_file").write_text(f"{file}\n")
        (devices / name / "dev").write_text(f"{number}\n")
        (tmp_path / "sys/block" / name).symlink_to(devices / name)
        (tmp_path / "sys/dev/block" / number).symlink_to(devices / name)
    return tmp_path


def test_a_stick_of_several_images(tmp_path: Path) -> None:
    root = system(
        tmp_path,
        ROOT + STICK + HOME,
        loop0="/run/initramfs/live/sYBm/squashfs.img",
        loop1="/LiveOS/rootfs.img",
        loop2="/run/initramfs/live/sYBm/overlay-LIVE-1",
        loop3="/run/initramfs/live/sYBm/home.img",
    )
    assert find_running(root) == Running(
        mount=root / "run/initramfs/live",
        directory="sYBm",
        filesystem="ext4",
        device="sdb3",
        disk="sdb",
        partition=3,
        overlay_mount=root,
        home_mount=root / "home",
    )


def test_an_encrypted_home_is_mounted_by_another_device(tmp_path: Path) -> None:
    root = system(tmp_path, ROOT + STICK + ENCRYPTED, loop3="/run/initramfs/live/LiveOS/home.img")
    mapped = root / "sys/devices/dm-7"
    mapped.mkdir()
    (mapped / "dev").write_text("254:7\n")
    (root / "sys/devices/loop3/holders").mkdir()
    (root / "sys/devices/loop3/holders/dm-7").symlink_to(mapped)
    assert find_running(root).home_mount == root / "home"


def test_a_home_that_is_not_in_use(tmp_path: Path) -> None:
    assert find_running(system(tmp_path, ROOT + STICK)).home_mount is None


def test_an_upper_directory_is_on_the_stick(tmp_path: Path) -> None:
    """/run/overlayfs is a link into the mounted stick (boot-contract.md 1.3, step 6)."""
    root = system(tmp_path, OVERLAYFS + STICK)
    (root / "run/overlayfs").symlink_to("/run/initramfs/live/LiveOS/overlay-LIVE-1")
    assert find_running(root).overlay_mount == root / "run/initramfs/live"


def test_an_upper_directory_whose_mount_is_gone(tmp_path: Path) -> None:
    """dracut unmounts what it had mounted for it; the path then leads into /run, a tmpfs."""
    root = system(tmp_path, OVERLAYFS + STICK + "26 25 0:23 / /run rw - tmpfs tmpfs rw\n")
    (root / "run/overlayfs").symlink_to("/run/initramfs/overlayfs/LiveOS/overlay-LIVE-1")
    assert find_running(root).overlay_mount == root / "run/initramfs/live"


def test_the_kernel_line_says_it_where_the_image_is_in_memory(tmp_path: Path) -> None:
    root = system(tmp_path, ROOT + STICK, cmdline="root=live:UUID=1 rd.live.dir=/Other rd.live.ram")
    assert find_running(root).directory == "Other"


def test_a_disc(tmp_path: Path) -> None:
    found = find_running(system(tmp_path, ROOT + DISC))
    assert (found.filesystem, found.disk, found.partition) == ("iso9660", "sr0", None)
    assert found.directory == "LiveOS"


def test_a_btrfs_has_a_number_that_no_device_has(tmp_path: Path) -> None:
    root = system(tmp_path, ROOT + "30 25 0:41 / /run/initramfs/live rw - btrfs /dev/sdb3 rw\n")
    (root / "sys/block/sdb").symlink_to(root / "sys/devices/usb/block/sdb")
    found = find_running(root)
    assert (found.filesystem, found.device, found.disk) == ("btrfs", "sdb3", "sdb")
    assert found.partition == 3


def test_no_live_system(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="no live system"):
        find_running(system(tmp_path, "27 1 259:2 / / rw - btrfs /dev/nvme0n1p2 rw\n"))


def test_the_booted_disk_is_not_overwritten(tmp_path: Path) -> None:
    root = system(tmp_path, ROOT + STICK)
    require_other_disk("/dev/sdc", root)
    with pytest.raises(RefusedError, match="/dev/sdb is the disk"):
        require_other_disk("live", root)


def test_the_booted_image_is_not_touched(tmp_path: Path) -> None:
    """FAT does not tell cases apart, so neither does this."""
    running = find_running(system(tmp_path, ROOT + STICK))
    require_other(running, "other")
    with pytest.raises(RefusedError, match="runs from"):
        require_other(running, "liveos")


def test_a_file_of_that_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_live("live")
    assert is_live(Path("live"))
    assert not is_live("live:LiveOS")
    (tmp_path / "live").touch()
    assert not is_live("live")
