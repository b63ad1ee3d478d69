# SPDX-License-Identifier: Apache-2.0
"""Command lines for filesystems inside files."""

from pathlib import Path
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from liveos.host.volumes import Ext4Volume, FatVolume, ext4_capacity, ext4_size

MIB = 1 << 20
FAT = FatVolume(Path("/srv/a b.img"), 8 * MIB, 512 * MIB)
EXT4 = Ext4Volume(Path("/srv/a b.img"), 520 * MIB, 4096 * MIB)


def test_fat_commands_name_the_offset() -> None:
    made = str(FAT.make("LIVE-BOOT", 0xA))
    assert made.endswith("-i 0000000A --offset 16384 -h 16384 '/srv/a b.img' 524288")
    assert str(FAT.write("/x")).endswith("-i '/srv/a b.img@@8388608' -o - ::/x")
    assert str(FAT.read("/x")).endswith("::/x -")


def test_ext4_commands_name_the_offset() -> None:
    made = EXT4.make("LIVE", UUID(int=5), "none")
    assert made.arguments[-1] == "4194304k"
    assert f"offset={520 * MIB},root_owner=0:0" in str(made)
    assert str(EXT4.check()) == "e2fsck -f -n '/srv/a b.img?offset=545259520'"


@given(st.integers(min_value=0, max_value=1 << 42))
def test_the_capacity_is_less_than_the_size_but_most_of_it(size: int) -> None:
    capacity = ext4_capacity(size)
    assert 0 <= capacity <= size
    if size > 1 << 30:
        assert capacity > size * 0.95


@given(st.integers(min_value=0, max_value=1 << 40))
def test_a_volume_for_contents_holds_them(contents: int) -> None:
    size = ext4_size(contents)
    assert ext4_capacity(size) >= contents
    assert size <= contents * 1.03 + 24 * MIB
