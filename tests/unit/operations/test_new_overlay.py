# SPDX-License-Identifier: Apache-2.0
"""Kinds and sizes of overlays."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.errors import NoSpaceError, UnsupportedError
from liveos.medium.model import PersistenceKind
from liveos.operations.install.overlay import choose_kind, snapshot_size
from liveos.sizes import Size
from tests.unit.operations.sources import FLAT, GIB, MIB, NESTED

# Sizes in MiB that turn a full store invalid (snapshot-store.md fact 5, measured).
BOUNDARIES = [513, 770, 1027, 1284, 1541, 1798, 2055, 2312, 2569, 2826, 3083, 3340, 3597, 3854]


def test_the_kind_follows_the_image() -> None:
    assert choose_kind(NESTED, None) is PersistenceKind.SNAPSHOT
    assert choose_kind(FLAT, None) is PersistenceKind.DIRECTORY
    assert choose_kind(NESTED, PersistenceKind.DIRECTORY) is PersistenceKind.DIRECTORY


def test_what_the_image_cannot_is_refused_with_the_reason() -> None:
    with pytest.raises(UnsupportedError, match="there is no block device"):
        choose_kind(FLAT, PersistenceKind.SNAPSHOT)
    with pytest.raises(UnsupportedError, match="nothing is known"):
        choose_kind(replace(FLAT, persistence=()), None)


@pytest.mark.parametrize("mebibytes", BOUNDARIES)
def test_sizes_on_the_boundary_are_avoided_and_said(mebibytes: int) -> None:
    size, notes = snapshot_size(NESTED, Size(bytes=mebibytes * MIB), 8 * GIB)
    assert size == mebibytes * MIB - 4096
    assert "invalid when full" in notes[0]


@given(st.integers(min_value=16 * MIB, max_value=64 * GIB), st.booleans())
def test_no_size_is_on_the_boundary(size: int, rest: bool) -> None:
    wish = Size() if rest else Size(bytes=size)
    result, notes = snapshot_size(NESTED, wish, size)
    assert (result // 4096) % 257 != 1
    assert result % 4096 == 0
    assert result <= size
    assert notes or size - result < 4096


def test_the_rest_is_no_more_than_a_full_copy_needs() -> None:
    size, notes = snapshot_size(NESTED, Size(), 100 * GIB)
    origin = 6 * GIB
    assert origin + origin // 256 < size < origin + origin // 256 + 4 * MIB
    assert "could never be used" in notes[0]


def test_too_much_or_too_little_does_not_fit() -> None:
    with pytest.raises(NoSpaceError, match="1 GiB are free"):
        snapshot_size(NESTED, Size(bytes=2 * GIB), GIB)
    with pytest.raises(NoSpaceError):
        snapshot_size(NESTED, Size(), 8 * MIB)
