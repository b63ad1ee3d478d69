# SPDX-License-Identifier: Apache-2.0
"""What debugfs is told; that it does what is meant is shown with debugfs itself."""

import stat

import pytest

from liveos.errors import RefusedError
from liveos.formats.binary import MemorySource
from liveos.formats.tree import Attributes
from liveos.host.ext4 import BlockRun
from liveos.host.folders import ext4_words as words
from liveos.host.folders.tree_items import TreeItem


def item(mode: int, *, device: tuple[int, int] | None = None, mtime_ns: int = 0) -> TreeItem:
    xattrs = {"user.a": b'"\n\\', "user.long": b"long"}
    return TreeItem("/d/n", Attributes(mode, 1, 2, mtime_ns, 1, device, xattrs), 7, target='a "b"')


@pytest.mark.parametrize(
    ("node", "command"),
    [
        (item(stat.S_IFDIR), 'mkdir "n"'),
        (item(stat.S_IFREG), 'write /dev/null "n"'),
        (item(stat.S_IFLNK), 'symlink "n" "a ""b"""'),
        (item(stat.S_IFIFO), 'mknod "n" p'),
        (item(stat.S_IFSOCK), 'mknod "n" p'),
        (item(stat.S_IFBLK, device=(7, 200)), 'mknod "n" b 7 200'),
        (item(stat.S_IFCHR, device=(0, 0)), 'mknod "n" c 0 0'),
        (item(stat.S_IFCHR, device=(4000, 70000)), 'mknod "n" c 255 255'),
    ],
)
def test_each_kind_has_its_command(node: TreeItem, command: str) -> None:
    assert words.creation(node, "n") == command


def test_a_line_feed_cannot_be_said() -> None:
    with pytest.raises(RefusedError, match="line feed"):
        words.quoted("a\nb")


def test_large_device_numbers_are_encoded_as_linux_does() -> None:
    """new_encode_dev of kdev_t.h: the minor lies on both sides of the major."""
    lines = list(words.body(item(stat.S_IFCHR, device=(300, 70000)), 5, 1, {}))
    assert f"set_inode_field <5> block[1] {300 << 8 | 70000 & 0xFF | (70000 >> 8) << 20}" in lines


@pytest.mark.parametrize(
    ("seconds", "field", "extra"),
    [(0, 0, 0), (-5, 0xFFFF_FFFB, 0), (1 << 31, 1 << 31, 1), (5_000_000_000, 705_032_704, 1)],
)
def test_times_have_two_bits_more_than_their_field(seconds: int, field: int, extra: int) -> None:
    """The kernel's ext4_encode_extra_time: an epoch, then nanoseconds."""
    lines = list(words.body(item(stat.S_IFREG, mtime_ns=seconds * 10**9 + 3), 5, 1, {}))
    assert f"set_inode_field <5> mtime @{field}" in lines
    assert f"set_inode_field <5> mtime_extra {3 << 2 | extra}" in lines


def test_values_are_escaped_or_come_from_files() -> None:
    lines = list(words.body(item(stat.S_IFREG), 5, 3, {b"long": "/tmp/0"}))
    assert 'ea_set <5> "user.a" "\\042\\012\\134"' in lines
    assert 'ea_set -f "/tmp/0" <5> "user.long"' in lines
    assert "set_inode_field <5> links_count 3" in lines


def test_attributes_that_stay_are_left_alone() -> None:
    before = Attributes(0, 0, 0, 0, 1, xattrs={"user.a": b"1", "user.b": b"2", "user.c": b"3"})
    after = Attributes(0, 0, 0, 0, 1, xattrs={"user.b": b"2", "user.c": b"4"})
    assert list(words.changed_attributes(9, before, after, {})) == [
        'ea_rm <9> "user.a"',
        'ea_set <9> "user.c" "\\064"',
    ]


def test_blocks_are_asked_for_by_their_numbers() -> None:
    ranges = [(0, 1), (8192, 12289)]
    assert list(words.blocks(5, 12289, ranges, 4096, cut=True)) == [
        "punch <5> 4",
        "fallocate <5> 0 0",
        "fallocate <5> 2 3",
        "set_inode_field <5> size 12289",
        "dump_extents <5>",
    ]


def test_what_was_written_is_marked() -> None:
    runs = [BlockRun(0, 100, 2, written=False), BlockRun(4, 200, 1, written=False)]
    assert words.marking(5, runs) == [
        "extent_open <5>",
        "goto_block 0",
        "replace_node 0 2 100",
        "goto_block 4",
        "replace_node 4 1 200",
        "extent_close",
    ]
    assert words.marking(5, []) == []


def test_an_item_tells_how_much_of_it_is_stored() -> None:
    found = TreeItem(
        "/f", item(stat.S_IFREG).attributes, 1, MemorySource(bytes(9)), ((0, 2), (5, 9))
    )
    assert (found.size, found.stored, found.is_directory) == (9, 6, False)
