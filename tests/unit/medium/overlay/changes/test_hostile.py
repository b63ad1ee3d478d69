# SPDX-License-Identifier: Apache-2.0
"""Damaged and lying overlays give a report or `FormatError`: nothing else, and not without end."""

import contextlib
import time
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.ext4.reader import Ext4
from liveos.formats.tree import Attributes
from liveos.medium.overlay.changes.directories import compare_layers, upper_usage
from liveos.medium.overlay.changes.layers import OverlayTree
from liveos.medium.overlay.changes.marks import TRUSTED, marks_of
from liveos.medium.overlay.changes.states import Survey, compare_states
from liveos.medium.overlay.changes.usage import store_usage
from tests.unit.medium.overlay.changes import test_directories, test_states

_SECONDS = 20
Change = tuple[int, int]
changes = st.lists(st.tuples(st.integers(0, 1 << 24), st.integers(0, 255)), min_size=1, max_size=9)


@cache
def telling_places(data: bytes) -> list[int]:
    return [place for place, byte in enumerate(data) if byte]


def damaged(data: bytes, changes: list[Change]) -> bytes:
    """Bytes that say something are replaced."""
    places, result = telling_places(data), bytearray(data)
    for position, value in changes:
        result[places[position % len(places)]] = value
    return bytes(result)


@pytest.mark.parametrize("name", test_states.NAMES)
@pytest.mark.parametrize("which", ["before", "after"])
@settings(max_examples=20, deadline=None)
@given(changes)
def test_a_damaged_state(name: str, which: str, changes: list[Change]) -> None:
    images = {each: test_states.members()[f"{name}.{each}"] for each in ("before", "after")}
    images[which] = damaged(images[which], changes)
    began = time.monotonic()
    with contextlib.suppress(FormatError):
        before, after = (Ext4(MemorySource(images[each])) for each in ("before", "after"))
        survey = Survey.of(after)
        size = after.superblock.block_size
        changed = np.ones(after.superblock.blocks, np.bool_)
        store_usage(survey.names, survey.owners, np.flatnonzero(changed), size, size)
        compare_states(before, survey, changed)
    assert time.monotonic() - began < _SECONDS


@pytest.mark.parametrize("name", ["plain-squashfs", "redirect-erofs"])
@settings(max_examples=20, deadline=None)
@given(changes)
def test_a_damaged_upper_directory(name: str, changes: list[Change]) -> None:
    data = damaged(test_directories.members()[f"{name}.upper.ext4"], changes)
    began = time.monotonic()
    with contextlib.suppress(FormatError):
        upper_tree = Ext4(MemorySource(data))
        upper = upper_tree.lookup("/upper")
        if upper is not None:
            tree = OverlayTree(test_directories.root_of(name), upper_tree, upper)
            compare_layers(tree)
            upper_usage(tree)
    assert time.monotonic() - began < _SECONDS


@given(st.dictionaries(
    st.sampled_from([f"{TRUSTED}{name}" for name in ("opaque", "redirect", "origin", "metacopy")]),
    st.binary(max_size=60) | st.binary(max_size=60).map(lambda data: b"\0\xfb\x1d\0\x01" + data),
))  # fmt: skip
def test_any_marks(xattrs: dict[str, bytes]) -> None:
    marks = marks_of(Attributes(0o100644, 0, 0, 0, 1, None, xattrs), TRUSTED)
    assert marks.opaque == (xattrs.get(f"{TRUSTED}opaque") == b"y")
    assert marks.metacopy == (f"{TRUSTED}metacopy" in xattrs)


def test_a_redirect_cannot_leave_the_root() -> None:
    """Whatever a redirect says is looked up in the lower tree, without links and ``..``."""
    tree = test_directories.open_case("redirect-squashfs")
    for where in ("../../etc", "/../../etc", "..", "/etc/link/../passwd"):
        found = tree.lower_tree.lookup(where)
        assert found is None or found.path.startswith("/")
