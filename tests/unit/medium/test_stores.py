# SPDX-License-Identifier: Apache-2.0
"""Which home is an image's, where there is a file and a partition for it."""

import pytest

from liveos.medium.model import Entry, Firmware, Partition, Store
from liveos.medium.stores import home_of, home_partition, room_behind

# UAPI group, Discoverable Partitions Specification: home, Linux filesystem data
HOME, LINUX = "933AC7E1-2EB4-4F13-B844-0E14E2AEF915", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
FILE = Store("/LiveOS/home.img", 1 << 20)


def partition(number: int, name: str | None, kind: str, content: str | None = "ext4") -> Partition:
    return Partition(
        number, name, kind, number << 20, 1 << 20, content, "a label", f"uuid-{number}"
    )


@pytest.mark.parametrize(
    ("partitions", "number"),
    [
        ([partition(1, "EFI", LINUX), partition(2, "LIVE", LINUX)], None),
        ([partition(1, "HOME", LINUX)], 1),
        ([partition(1, "HOME", LINUX), partition(2, None, HOME)], 2),
        ([partition(1, None, HOME.lower()), partition(2, None, HOME)], 1),
    ],
)
def test_the_partition_for_homes_has_the_type_or_the_name(
    partitions: list[Partition], number: int | None
) -> None:
    found = home_partition(partitions)
    assert (found.partition if found else None) == number


@pytest.mark.parametrize(
    ("content", "encrypted"),
    [("ext4", False), ("crypto_LUKS", True), ("liveos_encrypting", True), (None, None)],
)
def test_what_a_home_partition_holds(content: str | None, encrypted: bool | None) -> None:
    found = home_partition([partition(4, "HOME", HOME, content)])
    assert found == Store(
        "partition 4", 1 << 20, encrypted, content, "a label", "uuid-4", partition=4
    )


def test_the_room_behind_a_partition() -> None:
    partitions = [partition(number, None, LINUX) for number in (1, 4, 6)]
    assert room_behind(partitions, 2 << 20, 20 << 20) == 2 << 20
    assert room_behind(partitions, 5 << 20, 20 << 20) == 1 << 20
    assert room_behind(partitions, 7 << 20, 20 << 20) == 12 << 20
    assert room_behind(partitions, 7 << 20, 7 << 20) == 0
    assert room_behind(partitions, 7 << 20, None) == 0


def test_the_kernel_line_decides_between_two_homes() -> None:
    found = home_partition([partition(4, "HOME", HOME)])
    line = ("root=live:UUID=1", "persistenthome=UUID=uuid-4")
    naming = Entry("Start", Firmware.UEFI, "/grub.cfg", None, "/vmlinuz", (), line)
    assert home_of(FILE, found, []) is FILE
    assert home_of(None, found, []) is found
    assert home_of(FILE, found, [naming]) is found
    assert home_of(FILE, None, [naming]) is FILE
    assert home_of(None, found, [], [naming]) is None
    assert home_of(None, found, [naming], [naming]) is found
