# SPDX-License-Identifier: Apache-2.0
"""What all filesystem readers do alike, on images that other programs made."""

import pytest

from liveos.formats.binary import ExtentSource, FormatError, MemorySource, TruncatedError
from liveos.formats.tree import FileKind
from tests.data.make_filesystem_fixtures import FILES
from tests.unit.formats.filesystem_images import (
    NAMES,
    assert_is_the_tree,
    images,
    open_tree,
)


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_found(name: str) -> None:
    assert_is_the_tree(open_tree(name))


@pytest.mark.parametrize("name", NAMES)
def test_pieces_of_files(name: str) -> None:
    tree = open_tree(name)
    for path in ("/Dir/Sub/blocks", "/mixed", "/sparse", "/noise"):
        node = tree.lookup(path)
        assert node is not None
        source, expected = tree.open(node), FILES[path]
        for offset in (0, 1, 4095, 4096, 4097, 8999):
            for length in (0, 1, 2, 4096, 10_000):
                piece = expected[offset : offset + length]
                assert source.read_at(offset, len(piece)) == piece
        with pytest.raises(TruncatedError):
            source.read_at(len(expected) - 1, 2)
        with pytest.raises(TruncatedError):
            source.read_at(-1, 1)


@pytest.mark.parametrize("name", NAMES)
def test_extents_are_the_bytes_of_the_file(name: str) -> None:
    tree = open_tree(name)
    node = tree.lookup("/mixed")
    assert node is not None
    extents = tree.extents(node)
    if extents is not None:
        content = ExtentSource(MemorySource(images()[name]), extents)
        assert content.read_at(0, content.size) == FILES["/mixed"]
    assert (extents is None) == (name in {"lz4.erofs", "lzma.erofs", "zstd.erofs", "deflate.erofs"}
                                 or name.endswith(".squashfs"))  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_links_stay_inside(name: str) -> None:
    tree = open_tree(name)
    where = {
        "/relative": "/Dir/Sub/blocks",
        "/absolute/blocks": "/Dir/Sub/blocks",
        "/outside": "/hello",
        "/long": "/hello",
        "/Dir/up/hello": "/hello",
        "/Dir/up/Dir/up/Dir/Sub/../../hello": "/hello",
        "/../..": "/",
        "": "/",
    }
    for path, target in where.items():
        node = tree.resolve(path)
        assert node is not None
        assert node.path == target
    for path in ("/loop", "/dangling", "/hello/x", "/absolute/none"):
        assert tree.resolve(path) is None


@pytest.mark.parametrize("name", NAMES)
def test_lookup_follows_nothing(name: str) -> None:
    tree = open_tree(name)
    node = tree.lookup("/absolute")
    assert node is not None
    assert node.kind is FileKind.SYMLINK
    assert tree.lookup("/absolute/blocks") is None


@pytest.mark.parametrize("name", NAMES)
def test_names_in_another_case(name: str) -> None:
    tree = open_tree(name)
    assert tree.lookup("/dir/sub/BLOCKS") is None
    node = tree.lookup("/dir/sub/BLOCKS", ignore_case=True)
    assert node is not None
    assert node.path == "/Dir/Sub/blocks"
    node = tree.resolve("/ABSOLUTE/Blocks", ignore_case=True)
    assert node is not None
    assert node.path == "/Dir/Sub/blocks"


@pytest.mark.parametrize("name", NAMES)
def test_listing_what_is_no_directory(name: str) -> None:
    tree = open_tree(name)
    assert sorted(tree.listdir("/Dir")) == ["Sub", "up"]
    for path in ("/hello", "/none", "/absolute"):
        with pytest.raises(FormatError, match="no such directory"):
            tree.listdir(path)
    with pytest.raises(FormatError, match="not a symlink"):
        tree.readlink(tree.root)


@pytest.mark.parametrize("name", NAMES)
def test_a_short_image_is_refused(name: str) -> None:
    data = images()[name]
    for length in (0, 1, 50, 1024, 1100, len(data) // 2):
        with pytest.raises(FormatError):
            assert_is_the_tree(open_tree(name, MemorySource(data[:length])))
