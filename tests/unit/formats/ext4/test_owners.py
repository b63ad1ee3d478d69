# SPDX-License-Identifier: Apache-2.0
"""Owners in recorded filesystems, whole and lying: every tree ends, whatever it says."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.ext4.groups import free_map
from liveos.formats.ext4.owners import BlockUse, owners, paths
from liveos.formats.ext4.reader import Ext4
from liveos.formats.tree import FileKind
from tests.unit.formats.filesystem_images import images
from tests.unit.formats.test_hostile_filesystems import changed, changes

NAMES = ("ext2.ext4", "ext4.ext4", "checksum.ext4")
BLOCK = 1024
FLAGS, MAP, ACL, ACL_HIGH = 0x20, 0x28, 0x68, 0x76  # offsets in an inode
LONG_FILE = "/again"  # it has an indirect block


def opened(name: str) -> Ext4:
    return Ext4(MemorySource(images()[name]))


@pytest.mark.parametrize("name", NAMES)
def test_content_belongs_to_its_file(name: str) -> None:
    """By the reader of single files, which was compared with debugfs."""
    fs = opened(name)
    found = owners(fs)
    owned = set()
    for node in fs.walk():
        if node.kind in {FileKind.FILE, FileKind.DIRECTORY}:
            use = BlockUse.FILE if node.kind is FileKind.FILE else BlockUse.DIRECTORY
            for extent in fs.extents(node):
                if extent.offset is not None:
                    first, end = (
                        extent.offset // BLOCK,
                        -(-(extent.offset + extent.length) // BLOCK),
                    )
                    assert set(found.inode[first:end].tolist()) == {node.number}
                    assert set(found.use[first:end].tolist()) == {use}
                    owned |= set(range(first, end))
        assert found.is_directory(node.number) == (node.kind is FileKind.DIRECTORY)
    content = np.isin(found.use, (BlockUse.FILE, BlockUse.DIRECTORY)) & (found.inode != 2)
    links = {fs.extents(node)[0].offset for node in fs.walk() if node.path == "/long"}
    assert set(np.flatnonzero(content).tolist()) - owned == {(o or 0) // BLOCK for o in links}
    assert np.array_equal(found.use == BlockUse.FREE, free_map(fs))


@pytest.mark.parametrize("name", NAMES)
def test_paths_are_those_of_the_tree(name: str) -> None:
    fs = opened(name)
    expected = {node.number: node.path for node in fs.walk()} | {2: "/"}
    assert paths(fs, set(expected) | {9999}) == expected
    some = set(list(expected)[3:6])
    assert paths(fs, some) == {number: expected[number] for number in some}
    assert paths(fs, set()) == {}


def test_numbers_that_are_no_inodes_are_no_directories() -> None:
    found = owners(opened("ext2.ext4"))
    assert not any(found.is_directory(number) for number in (-1, 0, 1 << 40))
    assert found.is_directory(2)


def place_of(fs: Ext4, path: str) -> int:
    """The byte where a file's inode begins."""
    node = fs.lookup(path)
    assert node
    index = (node.number - 1) * fs.superblock.inode_size
    return int(fs.descriptors.inode_table[0]) * BLOCK + index


def lying(name: str, path: str, offset: int, new: bytes) -> Ext4:
    """An image of one group with bytes of a file's inode replaced."""
    data = bytearray(images()[name])
    place = place_of(opened(name), path) + offset
    data[place : place + len(new)] = new
    return Ext4(MemorySource(bytes(data)))


def test_an_indirect_block_of_itself_is_refused() -> None:
    fs = opened("ext2.ext4")
    node = fs.lookup(LONG_FILE)
    assert node
    (indirect,) = struct.unpack_from("<I", node.handle.block, 48)
    assert indirect
    doubly = struct.pack("<II", indirect, indirect)
    with pytest.raises(FormatError, match="twice"):
        owners(lying("ext2.ext4", LONG_FILE, MAP + 48, doubly))


def test_a_doubly_indirect_block_that_names_itself_is_refused() -> None:
    fs = opened("ext2.ext4")
    node = fs.lookup(LONG_FILE)
    assert node
    (indirect,) = struct.unpack_from("<I", node.handle.block, 48)
    data = bytearray(images()["ext2.ext4"])
    struct.pack_into("<II", data, place_of(fs, LONG_FILE) + MAP + 48, 0, indirect)
    struct.pack_into("<I", data, indirect * BLOCK, indirect)
    with pytest.raises(FormatError, match="twice"):
        owners(Ext4(MemorySource(bytes(data))))


HEADER = struct.pack("<HHHHI", 0xF30A, 1, 4, 0, 0)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (b"\0" * 12, "damaged extent tree"),
        (struct.pack("<HHHHI", 0xF30A, 5, 4, 0, 0), "damaged extent tree"),
        (struct.pack("<HHHHI", 0xF30A, 1, 4, 6, 0), "damaged extent tree"),
        (HEADER + struct.pack("<IHHI", 0, 0, 0, 50), "damaged extent tree"),
        (HEADER + struct.pack("<IHHI", 0, 2, 0, 399), "outside the filesystem"),
        (HEADER + struct.pack("<IHHI", 0, 1, 9, 50), "outside the filesystem"),
        (HEADER + struct.pack("<IHHI", 0, 1, 0, 0), "outside the filesystem"),
        (struct.pack("<HHHHIIIHH", 0xF30A, 1, 4, 1, 0, 0, 50, 0, 0), "damaged extent tree"),
        (
            struct.pack("<HHHHI", 0xF30A, 4, 4, 0, 0) + struct.pack("<IHHI", 0, 390, 0, 1) * 4,
            "more blocks than it has",
        ),
    ],
)
def test_lying_extents_are_refused(root: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        owners(lying("ext4.ext4", "/hello", MAP, root))


def test_attributes_outside_are_refused() -> None:
    with pytest.raises(FormatError, match="outside"):
        owners(lying("ext2.ext4", "/hello", ACL, struct.pack("<I", 400)))


def test_attributes_have_the_first_inode_that_shares_them() -> None:
    fs = opened("ext2.ext4")
    free = int(np.flatnonzero(free_map(fs))[0])
    data = bytearray(images()["ext2.ext4"])
    numbers = []
    for path in ("/hello", "/noise"):
        struct.pack_into("<I", data, place_of(fs, path) + ACL, free)
        node = fs.lookup(path)
        assert node
        numbers.append(node.number)
    found = owners(Ext4(MemorySource(bytes(data))))
    assert found.inode[free] == min(numbers)
    assert found.use[free] == BlockUse.XATTR


def test_high_half_of_attributes_counts_only_with_64bit() -> None:
    high = struct.pack("<H", 7)
    owners(lying("ext2.ext4", "/hello", ACL_HIGH, high))
    with pytest.raises(FormatError, match="outside"):
        owners(lying("ext4.ext4", "/hello", ACL_HIGH, high))


@pytest.mark.parametrize("name", ["ext2.ext4", "ext4.ext4"])
@settings(max_examples=60)
@given(changes)
def test_damage_gives_owners_or_an_error(name: str, changes: list[tuple[int, int]]) -> None:
    with contextlib.suppress(FormatError):
        fs = Ext4(MemorySource(changed(name, changes)))
        found = owners(fs)
        assert len(found.use) == len(found.inode) == fs.superblock.blocks
        paths(fs, set(found.inode.tolist()))
