# SPDX-License-Identifier: Apache-2.0
"""The list of mounts, as proc(5) describes it."""

from liveos.host.mounts import mount_of, parse_mounts

TEXT = (
    "25 1 254:0 / / rw,relatime shared:1 - ext4 /dev/mapper/live-rw rw\n"
    "30 25 8:19 / /run/initramfs/live rw - vfat /dev/sdb3 rw,fmask=0022\n"
    "31 25 8:33 / /media/my\\040stick rw - ext4 /dev/sdc1 rw\n"
    "32 31 8:34 / /media/my\\040stick rw - xfs /dev/sdc2 rw\n"
    "no line of this file\n"
)


def test_where_a_path_lies() -> None:
    """The longest mount point counts, and of two at one point the later one."""
    mounts = parse_mounts(TEXT)
    assert len(mounts) == 4

    def device(path: str) -> str | None:
        found = mount_of(path, mounts)
        return None if found is None else found.device

    assert device("/run/initramfs/live/LiveOS") == "8:19"
    assert device("/run/initramfs/lively") == "254:0"
    assert device("/media/my stick") == "8:34"
    assert mount_of("/", ()) is None


def test_read_only_are_mounts_and_filesystems() -> None:
    text = (
        "30 25 8:19 / /a ro,relatime - ext4 /dev/sdb3 ro\n"
        "31 25 8:19 / /b ro,nosuid - ext4 /dev/sdb3 rw\n"
        "32 25 8:19 / /c rw shared:1 - ext4 /dev/sdb3 ro,errors=remount-ro\n"
        "33 25 8:19 / /d rw,nosuid shared:1 - ext4 /dev/sdb3 rw,errors=remount-ro\n"
    )
    assert [mount.read_only for mount in parse_mounts(text)] == [True, True, True, False]


def test_a_part_of_a_filesystem() -> None:
    text = (
        "30 25 8:19 / /a rw - ext4 /dev/sdb3 rw\n31 25 8:19 /my\\040own /b rw - ext4 /dev/sdb3 rw\n"
    )
    assert [mount.root for mount in parse_mounts(text)] == ["/", "/my own"]
