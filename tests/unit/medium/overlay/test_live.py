# SPDX-License-Identifier: Apache-2.0
"""The running system's overlay, from recorded texts and a made-up /proc and /sys."""

from pathlib import Path

import pytest

from liveos.errors import NotPermittedError, UnsupportedError
from liveos.formats.exception_store import Usage
from liveos.host.mounts import parse_mounts
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.check import StoreState
from liveos.medium.overlay.live import (
    SnapshotTable,
    _no_snapshot,
    live_status,
    parse_table,
    with_kernels_word,
)
from liveos.medium.overlay.live_words import asked_overlay
from liveos.medium.overlay.status import OverlayStatus
from tests.data.snapshot_cases import recordings

# As a nested image of dracut 059 shows itself; numbers of devices and sizes are made up.
SNAPSHOT_ROOT = "25 1 254:0 / / rw,relatime shared:1 - ext4 /dev/mapper/live-rw rw,seclabel\n"
STICK = "30 25 8:19 / /run/initramfs/live rw,relatime - vfat /dev/sdb3 rw,fmask=0022\n"
OVERLAYFS_ROOT = (
    "25 1 0:31 / / rw,relatime shared:1 - overlay LiveOS_rootfs"
    " rw,lowerdir=/run/rootfsbase,upperdir=/run/overlayfs,workdir=/run/ovlwork\n"
)
CONTAINER_ROOT = (
    "900 800 0:77 / / rw,relatime - overlay overlay"
    " rw,lowerdir=/var/lib/docker/overlay2/l/A:/var/lib/docker/overlay2/l/B,upperdir=/var/x/diff\n"
)
PLAIN_ROOT = "27 1 259:2 / / rw,noatime - btrfs /dev/nvme0n1p2 rw,subvolid=256,subvol=/root\n"


def system(tmp_path: Path, mountinfo: str) -> Path:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(mountinfo)
    return tmp_path


def with_snapshot(root: Path, backing: str) -> None:
    """A device live-rw over two loop devices, as sysfs shows them to everybody."""
    block = root / "sys/devices/virtual/block"
    for loop, read_only, file in (("loop1", "1", "/LiveOS/rootfs.img"), ("loop2", "0", backing)):
        (block / loop / "loop").mkdir(parents=True)
        (block / loop / "ro").write_text(f"{read_only}\n")
        (block / loop / "loop/backing_file").write_text(f"{file}\n")
    (block / "dm-0/dm").mkdir(parents=True)
    (block / "dm-0/dm/name").write_text("live-rw\n")
    (block / "dm-0/size").write_text("40000\n")
    (block / "dm-0/slaves").mkdir()
    for loop in ("loop1", "loop2"):
        (block / "dm-0/slaves" / loop).symlink_to(block / loop)
    (root / "sys/dev/block").mkdir(parents=True)
    (root / "sys/dev/block/254:0").symlink_to(block / "dm-0")


def put_store(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(recordings()["trixie", "records-257"].store)


def test_mounts_with_blanks_and_options() -> None:
    text = "31 25 8:1 / /media/My\\040Stick rw shared:4 - ext4 /dev/sda\\0401 rw,a=b\\054c\n"
    (mount,) = parse_mounts(text)
    assert mount.point == "/media/My Stick"
    assert mount.source == "/dev/sda 1"
    assert mount.option("a") == "b,c"
    assert parse_mounts("") == parse_mounts("nonsense\n") == ()


def test_tables() -> None:
    line = "0 14680064 snapshot 7:1 7:2 PO 8"
    assert parse_table(line) == SnapshotTable(14680064, "7:1", "7:2", can_overflow=True)
    assert parse_table("0 8 snapshot 7:1 7:2 P 8") == SnapshotTable(8, "7:1", "7:2", False)
    assert parse_table("0 14680064 linear 7:1 0") is None
    assert parse_table("") is None


def test_the_kernels_word_counts_more_than_the_store() -> None:
    status = OverlayStatus(PersistenceKind.SNAPSHOT, "live:x", StoreState.VALID)
    line = "0 14680064 snapshot "
    assert with_kernels_word(status, f"{line}42296/1048576 176\n").usage == Usage(
        42296, 1048576, 176
    )
    full = with_kernels_word(status, f"{line}Overflow\n")
    assert (full.state, full.status_line, full.free_size) == (StoreState.FULL, "Overflow", 0)
    dead = with_kernels_word(status, f"{line}Invalid\n")
    assert (dead.state, dead.status_line, dead.free_size) == (StoreState.INVALID, "Invalid", 0)


def test_a_snapshot_whose_file_may_be_read(tmp_path: Path) -> None:
    root = system(tmp_path, SNAPSHOT_ROOT + STICK)
    with_snapshot(root, "/LiveOS/overlay-LIVE-1234-ABCD")
    put_store(root / "run/initramfs/live/LiveOS/overlay-LIVE-1234-ABCD")
    status = live_status(root)
    assert status.path == "live:/LiveOS/overlay-LIVE-1234-ABCD"
    assert status.status_line == "2080/5600 24"
    assert status.forecast is not None
    assert status.forecast.unchanged == 5000 - 257
    assert status.warnings == ()


def test_a_temporary_snapshot_is_said_to_be_one(tmp_path: Path) -> None:
    root = system(tmp_path, SNAPSHOT_ROOT)
    with_snapshot(root, "/overlay (deleted)")
    put_store(root / "dev/loop2")
    assert [each.code for each in live_status(root).warnings] == ["temporary"]


def test_a_snapshot_that_only_root_may_read(tmp_path: Path) -> None:
    root = system(tmp_path, SNAPSHOT_ROOT)
    with_snapshot(root, "/LiveOS/overlay-LIVE-1234-ABCD")
    with pytest.raises(NotPermittedError, match="overlay-LIVE-1234-ABCD"):
        live_status(root)


@pytest.mark.parametrize(
    ("around", "kind", "codes"),
    [
        ("ext4 /dev/sdb3", PersistenceKind.DIRECTORY, []),
        ("ext4 /dev/loop3", PersistenceKind.IMAGE, []),
        ("tmpfs tmpfs", PersistenceKind.DIRECTORY, ["temporary"]),
    ],
)
def test_overlayfs(tmp_path: Path, around: str, kind: PersistenceKind, codes: list[str]) -> None:
    """/run/overlayfs is a link into the mount that holds the upper directory."""
    mount = f"40 25 8:19 / /run/initramfs/overlayfs rw,relatime - {around} rw\n"
    root = system(tmp_path, OVERLAYFS_ROOT + "28 25 0:25 / /run rw - tmpfs tmpfs rw\n" + mount)
    upper = root / "run/initramfs/overlayfs/LiveOS/overlay-A"
    upper.mkdir(parents=True)
    (root / "run/overlayfs").symlink_to("/run/initramfs/overlayfs/LiveOS/overlay-A")
    status = live_status(root)
    assert status.kind is kind
    assert status.path == "/run/initramfs/overlayfs/LiveOS/overlay-A"
    assert status.filesystem == around.partition(" ")[0]
    assert status.free_size
    assert [each.code for each in status.warnings] == codes


@pytest.mark.parametrize(
    ("cmdline", "codes"),
    [
        ("root=live:LABEL=X rd.live.image quiet", []),
        ("root=live:LABEL=X rd.live.overlay=UUID=1-2:/LiveOS/overlay-A", ["not-used"]),
        ("rd.live.overlay=UUID=1-2:/o rd.live.overlay.readonly rd.overlay.readonly", ["read-only"]),
        ("rd.live.overlay=UUID=1-2:/o rd.overlay.readonly=0", ["not-used"]),
        ("rd.live.overlay=none rd.overlay=1", []),
    ],
)
def test_what_the_kernel_line_asks_for_is_compared(
    tmp_path: Path, cmdline: str, codes: list[str]
) -> None:
    root = system(tmp_path, SNAPSHOT_ROOT)
    (root / "proc/cmdline").write_text(f"BOOT_IMAGE=/vmlinuz {cmdline}\n")
    with_snapshot(root, "/overlay (deleted)")
    put_store(root / "dev/loop2")
    assert [each.code for each in live_status(root).warnings] == ["temporary", *codes]


def test_the_last_word_of_the_kernel_line_counts() -> None:
    words = ("overlay=UUID=1:/a", "quiet", "rd.live.overlay=LABEL=B")
    assert asked_overlay(words) == "LABEL=B"


def test_a_thin_pool_is_no_overlay() -> None:
    assert "thin pool" in _no_snapshot("0 67108864 thin 254:1 0\n").message
    assert "itself" in _no_snapshot("0 8 linear 7:1 0\n").message


@pytest.mark.parametrize("mountinfo", [PLAIN_ROOT, CONTAINER_ROOT, ""])
def test_other_systems(tmp_path: Path, mountinfo: str) -> None:
    with pytest.raises(UnsupportedError, match="no live system"):
        live_status(system(tmp_path, mountinfo))
