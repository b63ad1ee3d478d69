# SPDX-License-Identifier: Apache-2.0
"""Kinds and sizes of overlays."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.errors import UnsupportedError
from liveos.medium.model import PersistenceKind
from liveos.operations.install.overlay import choose_kind, most_useful, store_size
from tests.unit.operations.sources import FLAT, GIB, MIB, NESTED

# Sizes in MiB that turn a full store invalid (snapshot-store.md fact 5, measured).
BOUNDARIES = [513, 770, 1027, 1284, 1541, 1798, 2055, 2312, 2569, 2826, 3083, 3340, 3597, 3854]
SNAPSHOT = PersistenceKind.SNAPSHOT


def test_the_kind_follows_the_image() -> None:
    assert choose_kind(NESTED, None) is SNAPSHOT
    assert choose_kind(FLAT, None) is PersistenceKind.DIRECTORY
    for kind in PersistenceKind:
        assert choose_kind(NESTED, kind) is kind


def test_what_the_image_cannot_is_refused_with_the_reason() -> None:
    with pytest.raises(UnsupportedError, match="there is no block device"):
        choose_kind(FLAT, SNAPSHOT)
    with pytest.raises(UnsupportedError, match="there is no filesystem in it"):
        choose_kind(FLAT, PersistenceKind.DIRECT)
    with pytest.raises(UnsupportedError, match="nothing is known"):
        choose_kind(replace(FLAT, persistence=()), None)


def test_others_are_taken_on_request_only() -> None:
    """A file in a file, or a root that cannot be emptied, is nobody's first wish."""
    rest = tuple(option for option in NESTED.persistence if option.kind in {"image", "direct"})
    with pytest.raises(UnsupportedError):
        choose_kind(replace(NESTED, persistence=rest), None)


@pytest.mark.parametrize("mebibytes", BOUNDARIES)
def test_sizes_on_the_boundary_are_avoided_and_said(mebibytes: int) -> None:
    size, notes = store_size(mebibytes * MIB)
    assert size == mebibytes * MIB - 4096
    assert "invalid when full" in notes[0]


@given(st.integers(min_value=16 * MIB, max_value=64 * GIB))
def test_no_size_is_on_the_boundary(size: int) -> None:
    result, notes = store_size(size)
    assert (result // 4096) % 257 != 1
    assert result % 4096 == 0
    assert result <= size
    assert notes or size - result < 4096


def test_no_store_is_larger_than_a_full_copy_needs() -> None:
    most, origin = most_useful(NESTED, SNAPSHOT), 6 * GIB
    assert most is not None
    assert origin + origin // 256 < most < origin + origin // 256 + 4 * MIB
    assert most_useful(NESTED, PersistenceKind.IMAGE) is None
