# SPDX-License-Identifier: Apache-2.0
"""Partitions never overlap, always fit, and grow with the stick."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.operations.install.layout import ALIGNMENT, esp_size, lay_out, least_size
from tests.unit.operations.sources import GIB, IDENTITIES, MIB

SIZES = st.integers(min_value=0, max_value=3000 * GIB).map(lambda size: size // 512 * 512)
BOOT_SIZES = st.integers(min_value=0, max_value=600 * MIB)


@given(SIZES, BOOT_SIZES)
def test_partitions_are_aligned_apart_and_inside(size: int, boot_size: int) -> None:
    layout = lay_out(size, boot_size, IDENTITIES)
    if layout is None:
        assert size < least_size(boot_size, 32 * MIB)
        return
    end = 34 * 512  # the primary table
    for partition in layout.partitions:
        assert partition.offset % ALIGNMENT == 0
        assert partition.offset >= end
        assert partition.size > 0
        end = partition.offset + partition.size
    assert end <= size - 33 * 512  # the backup table
    assert layout.esp.size > boot_size
    assert layout.live.size % ALIGNMENT == 0


@given(BOOT_SIZES, st.integers(min_value=32 * MIB, max_value=64 * GIB))
def test_the_least_size_is_enough_and_hardly_more(boot_size: int, live_size: int) -> None:
    least = least_size(boot_size, live_size)
    layout = lay_out(least, boot_size, IDENTITIES)
    assert layout is not None
    assert layout.live.size >= live_size
    smaller = lay_out(max(0, least - 16 * MIB - least // 9), boot_size, IDENTITIES)
    assert smaller is None or smaller.live.size < live_size


@given(SIZES, BOOT_SIZES)
def test_the_esp_never_shrinks_on_a_larger_stick(size: int, boot_size: int) -> None:
    assert esp_size(size + 4 * MIB, boot_size) >= esp_size(size, boot_size)


@pytest.mark.parametrize(
    ("size", "expected"), [(GIB, 100), (4 * GIB, 408), (8 * GIB, 816), (64 * GIB, 1024)]
)
def test_the_esp_has_room_for_further_images(size: int, expected: int) -> None:
    assert esp_size(size, 50 * MIB) == expected * MIB


def test_serial_number_as_linux_and_grub_write_it() -> None:
    assert IDENTITIES.esp_uuid == "1A2B-3C4D"
