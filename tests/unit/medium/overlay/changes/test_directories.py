# SPDX-License-Identifier: Apache-2.0
"""Overlay directories that the kernel wrote: shown as it shows them, and their report."""

import json
import tarfile
from functools import cache
from typing import Any

import pytest

from liveos.formats.binary import MemorySource
from liveos.formats.ext4.reader import Ext4
from liveos.formats.tree import FileTree
from liveos.medium.overlay.changes.directories import (
    compare_layers,
    compare_overlays,
    upper_usage,
)
from liveos.medium.overlay.changes.layers import OverlayTree
from liveos.medium.overlay.changes.model import Changes, Use
from tests.data.make_overlayfs_fixtures import CASES, FIXTURES, MOVED_DIRECTORIES, MOVED_FILES
from tests.unit.formats.filesystem_images import READERS
from tests.unit.medium.overlay.changes.listings import changes_between, listing_of

NAMES = tuple(CASES)


@cache
def members() -> dict[str, bytes]:
    with tarfile.open(FIXTURES) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def shown(name: str) -> dict[str, Any]:
    """What the kernel showed, before and after."""
    facts: dict[str, Any] = json.loads(members()[f"{name}.json"])
    return facts


def root_of(name: str) -> FileTree:
    kind = name.rpartition("-")[2]
    return READERS[kind](MemorySource(members()[f"{name}.{kind}"]))


def upper_of(name: str) -> Ext4:
    return Ext4(MemorySource(members()[f"{name}.upper.ext4"]))


def open_case(name: str, upper: Ext4 | None = None) -> OverlayTree:
    tree = upper or upper_of(name)
    node = tree.lookup("/upper")
    assert node is not None
    return OverlayTree(root_of(name), tree, node)


def moves(name: str) -> dict[str, str]:
    return MOVED_FILES | (MOVED_DIRECTORIES if "redirect" in name else {})


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_is_what_the_kernel_showed(name: str) -> None:
    assert listing_of(open_case(name)) == shown(name)["after"]


@pytest.mark.parametrize("name", NAMES)
def test_the_report_is_the_difference_of_what_the_kernel_showed(name: str) -> None:
    facts = shown(name)
    assert compare_layers(open_case(name)) == changes_between(
        facts["before"], facts["after"], moves(name)
    )


def test_the_report_has_every_kind_of_change() -> None:
    changes = compare_layers(open_case("redirect-squashfs"))
    assert ("/usr/share/doc", "/usr/share/manuals") in changes.renamed
    assert ("/usr/lib/moved", "/usr/lib/is here") in changes.renamed
    assert {"/etc/passwd", "/etc/link", "/etc/was changed"} <= set(changes.modified)
    assert {"/etc/mode", "/etc/owner", "/etc/xattr", "/home", "/etc/device"} <= set(
        changes.metadata
    )
    assert {"/opt/gone", "/opt/gone/sub/y", "/opt/opaque/x", "/usr/share/doc/a"} <= set(
        changes.removed
    )
    assert {"/home/new/twin", "/opt/opaque/fresh"} <= set(changes.added)
    assert "/etc/same" not in changes.modified + changes.metadata
    assert "/opt/opaque/keep" not in changes.modified


def test_usage_counts_what_lies_in_the_upper_directory() -> None:
    usage = upper_usage(open_case("redirect-squashfs"))
    sizes = {each.path: each.size for each in usage}
    assert {each.use for each in usage} == {Use.FILE}
    assert sizes["/etc/passwd"] == len("something else\n")
    assert len({"/home/new/file", "/home/new/twin"} & sizes.keys()) == 1
    assert "/etc/mode" not in sizes  # a copy of its attributes only
    assert [each.size for each in usage] == sorted(sizes.values(), reverse=True)
    assert "/etc/mode" in {each.path for each in upper_usage(open_case("plain-squashfs"))}


def test_two_overlays_over_one_root() -> None:
    one, other = open_case("redirect-ext4"), open_case("redirect-ext4")
    assert compare_overlays(one, other) == Changes()


def test_an_overlay_against_an_empty_one() -> None:
    """The report of an overlay is that of the empty one compared with it, moves apart."""
    name = "plain-squashfs"
    whole, facts = open_case(name), shown(name)
    tree = upper_of(name)
    work = tree.lookup("/work/work")  # which the kernel leaves empty
    assert work is not None
    empty = OverlayTree(root_of(name), tree, work)
    assert list(listing_of(empty).keys()) != []
    changes = compare_overlays(empty, whole)
    expected = changes_between(facts["before"], facts["after"])
    assert changes.added == expected.added
    assert changes.removed == expected.removed
    assert changes.modified == expected.modified
