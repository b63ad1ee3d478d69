# SPDX-License-Identifier: Apache-2.0
"""Where changes go, judged from what live systems of several dracuts say (boot-contract.md 2)."""

from dataclasses import replace

import pytest

from liveos.medium.model import PersistenceKind
from liveos.operations.prove.judgement import (
    Memory,
    find_memory,
    side_effects,
    why_not_persistent,
)
from liveos.operations.prove.observation import (
    Observation,
    User,
    overlay_path,
    parse_loops,
    parse_mapped,
    parse_mounts,
    parse_partitions,
    parse_status,
    parse_users,
)

STICK = "33 24 8:3 / /run/initramfs/live rw,relatime shared:1 - ext4 /dev/sda3 rw\n"
BACKING = "34 24 8:3 / /run/initramfs/overlayfs rw,relatime shared:1 - ext4 /dev/sda3 rw\n"
RUN = "24 1 0:22 / /run rw,nosuid,nodev shared:2 - tmpfs tmpfs rw,size=400M,mode=755\n"
DM_ROOT = "1 1 254:0 / / rw,relatime shared:3 - ext4 /dev/mapper/live-rw rw\n"
OVERLAY_ROOT = (
    "1 1 0:30 / / rw,relatime shared:3 - overlay LiveOS_rootfs "
    "rw,lowerdir=/run/rootfsbase,upperdir=/run/overlayfs,workdir=/run/ovlwork\n"
)
STORE = "/run/initramfs/overlayfs/LiveOS/overlay-LIVE-1234"
LOOPS = (
    "/sys/block/loop0/loop/backing_file /run/initramfs/live/LiveOS/squashfs.img\n"
    "/sys/block/loop1/loop/backing_file /LiveOS/rootfs.img\n"
    "/sys/block/loop2/loop/backing_file {}\n"
)
LINE = "root=live:UUID=1 rd.live.image rd.live.overlay=UUID=1:/LiveOS/overlay-LIVE-1234"


def seen(mounts: str, loops: str = "", mapped: str = "", **more: str) -> Observation:
    status = parse_status(more.pop("status", ""))
    return Observation(
        cmdline=more.pop("cmdline", LINE),
        kernel="6.1.0",
        mounts=parse_mounts(mounts),
        loops=parse_loops(loops),
        mapped=parse_mapped(mapped),
        snapshot_status=status,
        upper=more.pop("upper", None),
    )


def snapshot(store: str) -> Observation:
    return seen(
        RUN + DM_ROOT + STICK,
        LOOPS.format(store),
        "dm-0 live-rw loop1 loop2\ndm-1 live-base loop1\n",
        status="0 7864320 snapshot 8880/32768 48\n",
    )


def test_a_snapshot_in_a_file_of_the_stick_lasts() -> None:
    assert find_memory(snapshot(STORE)) == Memory(
        PersistenceKind.SNAPSHOT, STORE, persistent=True, status_line="8880/32768 48"
    )


@pytest.mark.parametrize("store", ["/overlay (deleted)", "/overlay"])
def test_a_snapshot_in_the_initramfs_does_not_last(store: str) -> None:
    assert find_memory(snapshot(store)).persistent is False


def test_a_snapshot_on_a_mount_that_was_taken_away_lasts() -> None:
    # Up to dracut 056 the kernel spells the path from the root of the detached mount.
    assert find_memory(snapshot("/LiveOS/overlay-LIVE-1234")).persistent


def test_an_upper_directory_on_the_stick_lasts() -> None:
    memory = find_memory(seen(RUN + OVERLAY_ROOT + STICK + BACKING, upper=STORE))
    assert memory == Memory(PersistenceKind.DIRECTORY, STORE, persistent=True)


def test_an_upper_directory_in_memory_does_not_last() -> None:
    memory = find_memory(seen(RUN + OVERLAY_ROOT + STICK, upper="/run/initramfs/overlay/overlayfs"))
    assert memory.persistent is False


def test_an_upper_directory_in_an_image_file_lasts_there() -> None:
    backing = BACKING.replace("8:3 /", "7:2 /").replace("/dev/sda3", "/dev/loop2")
    place = "/run/initramfs/live/LiveOS/overlay.img"
    seen_by_guest = seen(
        RUN + OVERLAY_ROOT + STICK + backing,
        LOOPS.format(place),
        upper="/run/initramfs/overlayfs/overlayfs",
    )
    assert find_memory(seen_by_guest) == Memory(PersistenceKind.IMAGE, place, persistent=True)


def test_a_memory_overlay_on_a_good_snapshot_is_seen_through() -> None:
    # boot-contract.md, rule 4: dracut 110 with rd.overlay= and a snapshot store.
    stacked = replace(
        snapshot(STORE),
        mounts=parse_mounts(RUN + DM_ROOT + OVERLAY_ROOT + STICK),
        upper="/run/initramfs/overlay/overlayfs",
    )
    assert find_memory(stacked).persistent is False
    spelled = replace(stacked, cmdline=LINE.replace("rd.live.overlay", "rd.overlay"))
    assert "over the snapshot: rd.overlay on the boot line" in why_not_persistent(spelled)
    # Rule 5: dracut 100 to 109.
    doubled = replace(stacked, cmdline=f"{LINE} rd.live.overlay.overlayfs=1")
    assert "rd.live.overlay.overlayfs on the boot line" in why_not_persistent(doubled)


def test_a_link_that_only_a_wrong_boot_line_leaves_is_named() -> None:
    # Rule 3, boot-contract.md 1.4: a device without a path.
    clean = seen(RUN + OVERLAY_ROOT + STICK + BACKING, upper=STORE)
    assert side_effects(clean) == []
    (problem,) = side_effects(replace(clean, stray="/run/overlayfs-backing/overlay"))
    assert "a link /overlay to /run/overlayfs-backing/overlay" in problem
    assert "without a path" in problem


def test_a_root_image_that_is_written_directly_lasts() -> None:
    loops = "/sys/block/loop0/loop/backing_file /run/initramfs/live/LiveOS/rootfs.img\n"
    memory = find_memory(seen(RUN + DM_ROOT + STICK, loops, "dm-0 live-rw loop0\n"))
    store = "/run/initramfs/live/LiveOS/rootfs.img"
    assert memory == Memory(PersistenceKind.DIRECT, store, persistent=True)


@pytest.mark.parametrize("copy", ["/run/initramfs/rootfs.img", "/run/initramfs/fsimg/rootfs.img"])
def test_a_copy_of_the_root_image_in_memory_does_not_last(copy: str) -> None:
    # boot-contract.md 2 (d), (e): rd.writable.fsimg and rd.live.ram.
    loops = f"/sys/block/loop0/loop/backing_file {copy}\n"
    memory = find_memory(seen(RUN + DM_ROOT + STICK, loops, "dm-0 live-rw loop0\n"))
    assert memory == Memory(PersistenceKind.DIRECT, copy, persistent=False)


def test_a_plain_root_partition_is_not_judged() -> None:
    assert find_memory(seen("1 1 8:3 / / rw shared:1 - ext4 /dev/sda3 rw\n")).persistent is None


@pytest.mark.parametrize(
    ("cmdline", "asked", "reason"),
    [
        ("root=live:UUID=1 rd.live.image", None, "names no overlay"),
        (f"{LINE} rd.live.overlay.readonly rd.overlay.readonly", None, "only read"),
        ("root=live:UUID=1 rd.live.overlay=none", None, "rd.live.overlay=none"),
        ("rd.live.overlay=UUID=1:auto", None, "no overlay of the default name"),
        ("rd.live.overlay=UUID=1", None, "no overlay of the default name"),
        (LINE, "nothing", "names /LiveOS/overlay-LIVE-1234, and there is nothing"),
        (LINE, "directory", "ovlwork"),
        (LINE, "file", "did not take it"),
        ("rd.overlay=UUID=1:/o", "nothing", "names /o, and there is nothing"),
    ],
)
def test_the_reason_is_named(cmdline: str, asked: str | None, reason: str) -> None:
    observation = replace(seen(RUN, cmdline=cmdline), asked_overlay=asked)
    assert reason in why_not_persistent(observation)


@pytest.mark.parametrize(
    ("cmdline", "path"),
    [
        ("", None),
        ("rd.live.overlay=UUID=1:auto", None),
        ("rd.live.overlay=none", None),
        ("rd.live.overlay=LABEL=A:/LiveOS/o x", "/LiveOS/o"),
        ("overlay=/dev/sda1:/a rd.live.overlay=/dev/sda1:/b", "/b"),
    ],
)
def test_the_path_comes_after_the_last_colon(cmdline: str, path: str | None) -> None:
    assert overlay_path(cmdline) == path


@pytest.mark.parametrize(
    ("word", "there"),
    [("rd.overlay", False), ("rd.overlay.readonly", True), ("rw", True), ("quiet", False)],
)
def test_words_are_whole_words(word: str, there: bool) -> None:
    line = "rd.overlay.readonly rw rd.live.overlay=UUID=1:/o"
    assert seen(RUN, cmdline=line).has_word(word) is there


def test_users_are_those_that_live_in_home() -> None:
    passwd = (
        "root:x:0:0:root:/root:/bin/bash\n"
        "liveuser:x:1000:1000:Live System User,,,:/home/liveuser:/bin/bash\n"
        "sync:x:4:65534::/bin:/bin/sync\n"
        "absent:x:1001:1001::/home/absent:/bin/sh\n"
        "deeper:x:1002:1002::/home/a/b:/bin/sh\n"
    )
    owners = "0 /home/lost+found\n1000 /home/liveuser\n"
    assert parse_users(passwd, owners) == (
        User("liveuser", 1000, 1000),
        User("absent", 1001, None),
    )


def test_partitions_have_their_numbers() -> None:
    said = "/sys/class/block/sda3/partition:3\n/sys/class/block/nvme0n1p12/partition:12\n"
    assert parse_partitions(said) == {"sda3": 3, "nvme0n1p12": 12}


def test_mountinfo_escapes_are_undone() -> None:
    (mount,) = parse_mounts(r"1 1 8:1 / /run/a\040b rw shared:1 - vfat /dev/sda1 rw,utf8")
    assert (mount.target, mount.options) == ("/run/a b", {"rw": "", "utf8": ""})


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("0 7864320 snapshot 16/32768 16\n", "16/32768 16"),
        ("0 7864320 snapshot Invalid\n", "Invalid"),
        ("0 7864320 linear \n", None),
        ("", None),
    ],
)
def test_the_status_line_is_what_follows_the_target(said: str, status: str | None) -> None:
    assert parse_status(said) == status
