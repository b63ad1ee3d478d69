# SPDX-License-Identifier: Apache-2.0
"""Damaged and lying images give what is left of the tree or `FormatError`: nothing else."""

import contextlib
import itertools
import struct
import time
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.identify import identify
from liveos.formats.tree import FileKind, FileTree
from tests.data.make_filesystem_fixtures import FILES
from tests.unit.formats.filesystem_images import NAMES, images, open_tree

Change = tuple[int, int]

_MOST_NODES = 2000
_MOST_READ = 1 << 20
# Images whose superblock has no checksum, so that a changed one is believed.
TRUSTING = [name for name in NAMES if not name.startswith("checksum")]


def use(tree: FileTree) -> None:
    """Do everything that a reader can do, as far as the image lets it."""
    for node in itertools.islice(tree.walk(), _MOST_NODES):
        with contextlib.suppress(FormatError):
            if node.kind is FileKind.FILE:
                source = tree.open(node)
                source.read_at(0, min(source.size, _MOST_READ))
                source.read_at(max(0, source.size - 10), min(source.size, 10))
            elif node.kind is FileKind.SYMLINK:
                tree.readlink(node)
                tree.resolve(node.path)


@cache
def telling_places(name: str) -> list[int]:
    """Bytes of an image that say something: neither zeros nor the content of files."""
    data, content = images()[name], b"".join(FILES.values())
    return [
        place
        for start in range(0, len(data), 32)
        if data[start : start + 32] not in content
        for place in range(start, min(start + 32, len(data)))
        if data[place]
    ]


def changed(name: str, changes: list[Change]) -> bytes:
    """An image with bytes replaced; positions count those that say something."""
    places = telling_places(name)
    result = bytearray(images()[name])
    for position, value in changes:
        result[places[position % len(places)]] = value
    return bytes(result)


changes = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=12)


@pytest.mark.parametrize("name", TRUSTING)
@settings(max_examples=40)
@given(changes)
def test_changed_bytes(name: str, changes: list[Change]) -> None:
    data = changed(name, changes)
    identify(MemorySource(data))
    with contextlib.suppress(FormatError):
        use(open_tree(name, MemorySource(data)))


@pytest.mark.parametrize("name", ["gzip.squashfs", "plain.erofs", "ext2.ext4"])
@given(st.binary(max_size=3000))
def test_arbitrary_bytes_after_the_magic(name: str, data: bytes) -> None:
    start = 0 if name.endswith("squashfs") else 1024
    whole = images()[name]
    source = MemorySource(whole[: start + 4] + data + bytes(8192))
    identify(source)
    with contextlib.suppress(FormatError):
        use(open_tree(name, source))


def patched(name: str, offset: int, layout: str, value: int) -> MemorySource:
    data = bytearray(images()[name])
    struct.pack_into(layout, data, offset, value)
    return MemorySource(bytes(data))


@pytest.mark.parametrize(
    ("name", "offset", "layout", "value"),
    [
        ("gzip.squashfs", 12, "<I", 1 << 31),  # block size
        ("gzip.squashfs", 22, "<H", 40),  # its logarithm
        ("gzip.squashfs", 20, "<H", 77),  # compressor
        ("gzip.squashfs", 28, "<H", 3),  # version
        ("gzip.squashfs", 32, "<Q", 1 << 60),  # root inode
        ("gzip.squashfs", 40, "<Q", 1 << 60),  # bytes used
        ("gzip.squashfs", 64, "<Q", 1 << 60),  # inode table
        ("gzip.squashfs", 0, ">I", 0x73717368),  # big-endian magic
        ("ext2.ext4", 1024 + 0x04, "<I", 0xFFFFFFFF),  # blocks
        ("ext2.ext4", 1024 + 0x18, "<I", 0xFFFFFFFF),  # log of the block size
        ("ext2.ext4", 1024 + 0x20, "<I", 0),  # blocks in a group
        ("ext2.ext4", 1024 + 0x28, "<I", 0),  # inodes in a group
        ("ext2.ext4", 1024 + 0x58, "<H", 0),  # inode size
        ("ext2.ext4", 1024 + 0x60, "<I", 0x80000000),  # unknown incompatible feature
        ("plain.erofs", 1024 + 0x0C, "<B", 60),  # log of the block size
        ("plain.erofs", 1024 + 0x24, "<I", 0xFFFFFFFF),  # blocks
        ("plain.erofs", 1024 + 0x28, "<I", 0xFFFFFFFF),  # metadata block
        ("plain.erofs", 1024 + 0x50, "<I", 0x80000000),  # unknown incompatible feature
        ("plain.erofs", 1024 + 0x50, "<I", 0x100),  # metabox
    ],
)
def test_impossible_superblocks(name: str, offset: int, layout: str, value: int) -> None:
    with pytest.raises(FormatError):
        open_tree(name, patched(name, offset, layout, value))


@pytest.mark.parametrize("name", ["checksum.ext4", "checksum.erofs"])
def test_a_superblock_that_does_not_match_its_checksum(name: str) -> None:
    with pytest.raises(FormatError, match="checksum"):
        open_tree(name, patched(name, 1024 + 0x48, "<B", 0x5A))


def test_unsupported_squashfs_is_named() -> None:
    for magic, words in (
        (b"sqsh", "big-endian"),
        (b"shsq", "LZMA patch"),
        (b"abcd", "not a squashfs"),
    ):
        with pytest.raises(FormatError, match=words):
            open_tree("x.squashfs", MemorySource(magic + images()["gzip.squashfs"][4:]))
    with pytest.raises(FormatError, match=r"squashfs 3\.1 is not supported"):
        open_tree("x.squashfs", patched("gzip.squashfs", 28, "<I", 3 | 1 << 16))


def test_a_squashfs_file_that_claims_eight_exabytes() -> None:
    """The size field of /noise, in uncompressed metadata, is set to everything."""
    data = images()["stored.squashfs"]
    # A plain file inode: block, fragment, offset, the size.
    place = data.index(
        struct.pack("<I", len(FILES["/noise"])), struct.unpack_from("<Q", data, 64)[0]
    )
    source = patched("stored.squashfs", place, "<I", 0xFFFFFFFF)
    tree = open_tree("stored.squashfs", source)
    node = tree.lookup("/noise")
    assert node is not None
    assert node.size == 0xFFFFFFFF
    began = time.monotonic()
    with pytest.raises(FormatError):
        tree.open(node).read_at(node.size - 1, 1)
    assert time.monotonic() - began < 5


def test_a_directory_inside_itself() -> None:
    """The entry Dir/Sub is made to point at Dir."""
    name = "ext2.ext4"
    tree = open_tree(name)
    parent, child = tree.lookup("/Dir"), tree.lookup("/Dir/Sub")
    assert parent is not None
    assert child is not None
    entry = struct.pack("<I", child.number)
    place = images()[name].index(b"\x03\x02Sub") - 6
    assert images()[name][place : place + 4] == entry
    looped = open_tree(name, patched(name, place, "<I", parent.number))
    with pytest.raises(FormatError, match="two places"):
        list(looped.walk())


def test_an_indirect_block_that_is_its_own_child() -> None:
    """The file becomes one of 2^32 bytes through blocks that point to it."""
    name = "ext2.ext4"
    tree = open_tree(name)
    node = tree.lookup("/Dir/Sub/blocks")
    assert node is not None
    inode = node.handle.block
    place = images()[name].index(inode)
    data = bytearray(images()[name])
    data[place - 40 + 4 : place - 40 + 8] = b"\xff\xff\xff\xff"  # size
    block = struct.unpack_from("<I", inode, 48)[0]  # the singly indirect one
    data[block * 1024 : block * 1024 + 1024] = struct.pack("<I", block) * 256
    struct.pack_into("<I", data, place + 56, block)  # triply indirect
    hostile = open_tree(name, MemorySource(bytes(data)))
    node = hostile.lookup("/Dir/Sub/blocks")
    assert node is not None
    began = time.monotonic()
    with pytest.raises(FormatError):
        hostile.extents(node)
    assert time.monotonic() - began < 5
