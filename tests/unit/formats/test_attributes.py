# SPDX-License-Identifier: Apache-2.0
"""Owners, times, devices and extended attributes, as they were given to the kernel and mkfs."""

import contextlib
import struct
import tarfile
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.tree import Attributes, FileKind, FileTree
from tests.data.make_attribute_fixtures import (
    BUILT,
    COMMANDS,
    FIXTURES,
    INLINE_FILES,
    INLINE_NAMES,
    Made,
    expected,
)
from tests.unit.formats.filesystem_images import READERS

NAMES = tuple(COMMANDS)
_SECOND = 1_000_000_000


@cache
def images() -> dict[str, bytes]:
    with tarfile.open(FIXTURES) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def open_tree(name: str, data: bytes | None = None) -> FileTree:
    return READERS[name.rpartition(".")[2]](MemorySource(data or images()[name]))


def as_kept(name: str, made: Made) -> dict[str, object]:
    """What is left of a file's attributes in an image of this kind."""
    mtime, xattrs, owners = made.mtime_ns, dict(made.xattrs), (made.uid, made.gid)
    if name.endswith(".squashfs"):
        # Seconds only, and no ACLs: mksquashfs says so when it makes the image.
        mtime = mtime // _SECOND * _SECOND
        xattrs = {key: value for key, value in xattrs.items() if not key.startswith("system.")}
    if name == "small.ext4":
        mtime = mtime // _SECOND * _SECOND
    if name == "compact.erofs":
        mtime, owners = BUILT * _SECOND, (3, 4)
    return {
        "mode": made.mode,
        "owners": owners,
        "mtime": mtime,
        "device": made.device,
        "xattrs": xattrs,
    }


def facts(attributes: Attributes) -> dict[str, object]:
    return {
        "mode": attributes.mode,
        "owners": (attributes.uid, attributes.gid),
        "mtime": attributes.mtime_ns,
        "device": attributes.device,
        "xattrs": dict(attributes.xattrs),
    }


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_was_set_is_read(name: str) -> None:
    tree = open_tree(name)
    for path, made in expected(name).items():
        node = tree.lookup(path)
        assert node is not None
        assert facts(tree.attributes(node)) == as_kept(name, made), path


@pytest.mark.parametrize("name", NAMES)
def test_links_are_counted(name: str) -> None:
    tree = open_tree(name)
    links = {}
    for path in ("/one", "/dir/one again", "/two", "/null", "/dir", "/pipe"):
        node = tree.lookup(path)
        assert node is not None
        links[path] = tree.attributes(node).links
    assert links == {
        "/one": 2, "/dir/one again": 2, "/two": 1, "/null": 1, "/dir": 2, "/pipe": 1
    }  # fmt: skip


def test_a_file_made_anew_has_another_generation() -> None:
    tree = open_tree("usual.ext4")
    generations = set()
    for path in ("/one", "/two"):
        node = tree.lookup(path)
        assert node is not None
        generations.add(tree.attributes(node).generation)
    assert len(generations) == 2


def test_content_inside_an_inode() -> None:
    tree = open_tree("inline.ext4")
    for path, content in INLINE_FILES.items():
        node = tree.lookup(path)
        assert node is not None
        assert tree.open(node).read_at(0, node.size) == content
    assert sorted(tree.listdir("/names")) == sorted(INLINE_NAMES)
    node = tree.lookup("/names")
    assert node is not None
    assert tree.attributes(node).xattrs == {}


def use(tree: FileTree) -> None:
    for node in tree.walk():
        with contextlib.suppress(FormatError):
            tree.attributes(node)
            if node.kind is FileKind.FILE:
                tree.open(node).read_at(0, min(node.size, 1 << 16))


@cache
def telling_places(name: str) -> list[int]:
    return [place for place, byte in enumerate(images()[name]) if byte]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=8))
def test_changed_bytes(name: str, changes: list[tuple[int, int]]) -> None:
    data, places = bytearray(images()[name]), telling_places(name)
    for position, value in changes:
        data[places[position % len(places)]] = value
    with contextlib.suppress(FormatError):
        use(open_tree(name, bytes(data)))


def _patched(name: str, old: bytes, new: bytes) -> FileTree:
    data = images()[name]
    assert old in data
    return open_tree(name, data.replace(old, new))


def test_a_value_that_lies_outside_its_block() -> None:
    data = images()["usual.ext4"]
    place = data.index(b"comment") - 16  # the entry of user.comment in the inode of /file
    assert data[place : place + 2] == b"\x07\x01"
    hostile = bytearray(data)
    struct.pack_into("<H", hostile, place + 2, 0xFFF0)
    tree = open_tree("usual.ext4", bytes(hostile))
    node = tree.lookup("/file")
    assert node is not None
    with pytest.raises(FormatError, match="value of 5 bytes"):
        tree.attributes(node)


def test_an_acl_of_another_version() -> None:
    tree = _patched(
        "usual.ext4",
        struct.pack("<IHHHHI", 1, 0x01, 6, 0x02, 7, 70_001),
        struct.pack("<IHHHHI", 9, 0x01, 6, 0x02, 7, 70_001),
    )
    node = tree.lookup("/file")
    assert node is not None
    with pytest.raises(FormatError, match="ACL"):
        tree.attributes(node)
