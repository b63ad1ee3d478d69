# SPDX-License-Identifier: Apache-2.0
"""What a stick has against what its system uses; what guests say is spelled as kernels do."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from liveos.medium.model import Medium, MediumKind, Overlay, PersistenceKind, Store
from liveos.operations.prove.expectation import (
    Expected,
    expect,
    has_encrypted_home,
)
from liveos.operations.prove.home import Home, find_home, find_swaps
from liveos.operations.prove.observation import MappedDevice, Observation, User, parse_mounts
from liveos.operations.prove.stick import home_problems, overlay_problems, swap_problems
from tests.unit.operations.sources import NESTED

RUN = "24 1 0:22 / /run rw shared:2 - tmpfs tmpfs rw\n"
ROOT = "1 1 254:0 / / rw shared:3 - ext4 /dev/mapper/live-rw rw\n"
FILE = "/run/initramfs/live/LiveOS/home.img"
LOOPS = {"loop1": "/LiveOS/rootfs.img", "loop2": "/LiveOS/overlay-A-1", "loop3": FILE}
LIVE_RW = MappedDevice("dm-0", "live-rw", ("loop1", "loop2"))
OVERLAY = Overlay(PersistenceKind.SNAPSHOT, "/LiveOS/overlay-A-1", 1)
PLAIN = Store("/LiveOS/home.img", 1, encrypted=False)
SEALED = replace(PLAIN, encrypted=True)
PARTITION = Store("partition 4", 1, encrypted=False, partition=4)
SWAP = Store("/LiveOS/swap.img", 1, encrypted=False)


@dataclass
class Asked:
    """A guest of which it only matters whether it has asked."""

    asked_secret: bool = False


def system(home: str | None, *mapped: MappedDevice, **more: object) -> Observation:
    """A running system with a device at /home."""
    mount = f"40 1 7:3 / /home rw shared:4 - ext4 {home} rw\n" if home else ""
    seen = Observation(
        cmdline="rd.live.image rd.live.overlay=UUID=1:/LiveOS/overlay-A-1",
        kernel="6.1.0",
        mounts=parse_mounts(RUN + ROOT + mount),
        loops=LOOPS,
        mapped=(LIVE_RW, *mapped),
        snapshot_status="16/800 16",
        partitions={"sda3": 3, "sda4": 4},
    )
    return replace(seen, **more)  # type: ignore[arg-type]


def problems(
    seen: Observation, home: Store, *, asked: bool = False, secret: bytes | None = None
) -> list[str]:
    return home_problems(Asked(asked), seen, home, secret)  # type: ignore[arg-type]


def stick(home: Store | None = None) -> Medium:
    image = replace(NESTED, name="LiveOS", overlay=OVERLAY, home=home)
    other = replace(NESTED, name="other", swap=SWAP)
    return Medium(Path("s.img"), MediumKind.DISK, None, 1, images=(image, other))


def test_the_boot_line_tells_which_image_it_is() -> None:
    medium = stick()
    assert expect(medium, "root=live:UUID=1 rd.live.image") == Expected(OVERLAY)
    assert expect(medium, "root=live:UUID=1 rd.live.dir=other") == Expected(swap=SWAP)
    assert expect(medium, "rd.live.dir=third") == Expected()
    assert expect(None, "") == Expected()


@pytest.mark.parametrize("home", [PLAIN, SEALED, PARTITION, None])
def test_whether_there_is_a_home(home: Store | None) -> None:
    medium = stick(home)
    assert expect(medium, "").home == home
    assert expect(medium, "nopersistenthome").home is None
    ours = expect(medium, "liveos.home=/LiveOS/home.img nopersistenthome")
    assert ours.home == home
    assert has_encrypted_home(medium) is (home is SEALED)


def test_what_is_at_home_is_followed_to_its_file() -> None:
    assert find_home(system(None)) is None
    assert find_home(system("/dev/loop3")) == Home("ext4", "/dev/loop3", FILE, encrypted=False)
    opened = MappedDevice("dm-1", "EncHome", ("loop3",))
    for source in ("/dev/mapper/EncHome", "/dev/dm-1"):
        assert find_home(system(source, opened)) == Home("ext4", source, FILE, encrypted=True)


def test_what_is_at_home_is_followed_to_its_partition() -> None:
    assert find_home(system("/dev/sda4")) == Home(
        "ext4", "/dev/sda4", "partition 4", encrypted=False
    )
    opened = MappedDevice("dm-1", "liveos-home", ("sda4",))
    source = "/dev/mapper/liveos-home"
    assert find_home(system(source, opened)) == Home("ext4", source, "partition 4", encrypted=True)


def test_the_home_of_the_stick_must_be_mounted() -> None:
    assert problems(system("/dev/loop3"), PLAIN) == []
    assert problems(system("/dev/sda4"), PARTITION) == []
    assert problems(system(None), PLAIN) == [
        "the stick has a home in /LiveOS/home.img, and nothing is mounted at /home"
    ]
    assert problems(system("/dev/sda4"), PLAIN) == [
        "the stick has a home in /LiveOS/home.img, but partition 4 is mounted at /home"
    ]
    assert problems(system("/dev/sdb1"), PARTITION) == [
        "the stick has a home in partition 4, but /dev/sdb1 is mounted at /home"
    ]


def test_users_must_own_their_directories() -> None:
    users = (User("liveuser", 1000, 0), User("second", 1001, None), User("third", 1002, 1002))
    assert problems(system("/dev/loop3", users=users), PLAIN) == [
        "/home/liveuser belongs to user 0, not to 1000",
        "second has no directory in /home",
    ]


def test_an_encrypted_home_must_be_asked_for_and_opened() -> None:
    opened = system("/dev/mapper/h", MappedDevice("dm-1", "h", ("loop3",)))
    assert problems(opened, SEALED, asked=True, secret=b"x") == []
    assert problems(system(None), SEALED, secret=b"x") == [
        "the home in /LiveOS/home.img is encrypted, yet no passphrase was asked for"
    ]
    assert problems(system(None), SEALED, asked=True, secret=b"x") == [
        "the passphrase was typed, yet the home in /LiveOS/home.img is not mounted"
    ]
    # Nobody typed: that the system has come up is all that is expected.
    assert problems(system(None), SEALED, asked=True) == []


def test_swap_of_the_stick_must_be_in_use() -> None:
    wanted = Expected(swap=SWAP)
    path = "/run/initramfs/live/LiveOS/swap.img"
    assert swap_problems(system(None, swaps=(path,)), wanted) == []
    on_loop = system(None, swaps=("/dev/loop4",), loops=LOOPS | {"loop4": path})
    assert find_swaps(on_loop) == (path,)
    assert swap_problems(on_loop, wanted) == []
    for others in ((), ("/dev/zram0",), ("/dev/loop3",)):
        assert swap_problems(system(None, swaps=others), wanted) == [
            "the stick has swap in /LiveOS/swap.img, and the system does not use it"
        ]
    assert swap_problems(system(None), Expected()) == []


def test_changes_must_go_to_the_overlay_of_the_stick() -> None:
    assert overlay_problems(system(None), Expected(OVERLAY)) == []
    other = Overlay(PersistenceKind.SNAPSHOT, "/LiveOS/overlay-B-2", 1)
    assert overlay_problems(system(None), Expected(other)) == [
        "the stick has the overlay /LiveOS/overlay-B-2, but changes go to /LiveOS/overlay-A-1"
    ]
    assert overlay_problems(system(None), Expected()) == []


def test_names_on_fat_have_no_case() -> None:
    """mtools writes a short name in capitals, and a kernel finds it as the boot line says it."""
    wanted = Expected(swap=Store("/LiveOS/SWAP.IMG", 1))
    used = system(None, swaps=("/run/initramfs/live/LiveOS/swap.img",))
    assert swap_problems(used, wanted) == []
