# SPDX-License-Identifier: Apache-2.0
"""Two states of an ext filesystem that the kernel changed: the report, and what it costs."""

import json
import tarfile
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from liveos.formats.binary import MemorySource
from liveos.formats.ext4.reader import Ext4
from liveos.formats.tree import FileKind, Node
from liveos.medium.overlay.changes.inodes import blocks_of_chunks
from liveos.medium.overlay.changes.model import Changes, Use
from liveos.medium.overlay.changes.states import Survey, compare_states
from liveos.medium.overlay.changes.usage import store_usage
from tests.data.make_overlayfs_fixtures import FIXTURES, MOVED_DIRECTORIES, MOVED_FILES, STATES
from tests.unit.medium.overlay.changes.listings import changes_between, listing_of

NAMES = tuple(STATES)


class Recorded(MemorySource):
    """Remembers which bytes were read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.seen = np.zeros(len(data), np.bool_)

    def read_at(self, offset: int, length: int) -> bytes:
        self.seen[offset : offset + length] = True
        return super().read_at(offset, length)


@cache
def members() -> dict[str, bytes]:
    with tarfile.open(FIXTURES) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def shown(name: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(members()[f"{name}.json"])
    return facts


def changed_blocks(one: bytes, other: bytes, size: int) -> NDArray[np.bool_]:
    columns = (np.frombuffer(data, np.uint8).reshape(-1, size) for data in (one, other))
    return np.asarray(np.not_equal(*columns).any(axis=1))


def states(name: str) -> tuple[Ext4, Ext4, NDArray[np.bool_]]:
    before, after = (members()[f"{name}.{which}"] for which in ("before", "after"))
    trees = Ext4(Recorded(before)), Ext4(Recorded(after))
    size = trees[1].superblock.block_size
    return *trees, changed_blocks(before, after, size)[: trees[1].superblock.blocks]


def report(name: str) -> Changes:
    before, after, changed = states(name)
    return compare_states(before, Survey.of(after), changed)


def expected(name: str) -> Changes:
    facts = shown(name)
    return changes_between(facts["before"], facts["after"], MOVED_FILES | MOVED_DIRECTORIES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", ["before", "after"])
def test_files_are_what_the_kernel_showed(name: str, which: str) -> None:
    tree = Ext4(MemorySource(members()[f"{name}.{which}"]))
    assert listing_of(tree) == shown(name)[which]


@pytest.mark.parametrize("name", NAMES)
def test_the_report_is_the_difference_of_what_the_kernel_showed(name: str) -> None:
    assert report(name) == expected(name)


def test_more_blocks_than_changed_make_no_difference() -> None:
    before, after, changed = states("ext4-4k")
    assert compare_states(before, Survey.of(after), np.ones_like(changed)) == expected("ext4-4k")


def test_backwards_what_was_added_is_removed() -> None:
    name = "ext4-1k"
    before, after, changed = states(name)
    changes = compare_states(after, Survey.of(before), changed)
    there = expected(name)
    assert set(changes.added) >= set(there.removed) - {"/usr/share/doc/a"}
    assert changes.renamed == tuple(sorted((new, old) for old, new in there.renamed))


def test_contents_are_read_only_where_blocks_changed() -> None:
    before, after, changed = states("ext4-4k")
    survey = Survey.of(after)
    sources = before.source, after.source
    for source in sources:
        assert isinstance(source, Recorded)
        source.seen[:] = False
    compare_states(before, survey, changed)
    unread = {
        node.path for node in before.walk() if node.size and not first_byte_was_read(before, node)
    }
    files = {node.path for node in before.walk() if node.kind is FileKind.FILE}
    # This one was written anew with the same bytes; where sizes differ nothing is read.
    assert files - unread == {"/opt/opaque/keep"}


def first_byte_was_read(tree: Ext4, node: Node) -> bool:
    assert isinstance(tree.source, Recorded)
    if node.kind is not FileKind.FILE:
        return True
    offset = tree.extents(node)[0].offset
    return offset is not None and bool(tree.source.seen[offset])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("chunk_size", [512, 1024, 4096, 16384])
def test_usage_adds_up_to_what_is_held(name: str, chunk_size: int) -> None:
    before, after = (members()[f"{name}.{which}"] for which in ("before", "after"))
    tree = Ext4(MemorySource(after))
    survey = Survey.of(tree)
    chunks = np.flatnonzero(changed_blocks(before, after, chunk_size)).astype(np.uint32)
    beyond = np.append(chunks, [chunks[0], len(after) // chunk_size + 5]).astype(np.uint64)
    for held in (chunks, beyond):
        usage = store_usage(
            survey.names, survey.owners, held, chunk_size, tree.superblock.block_size
        )
        assert sum(each.size for each in usage) == len(held) * chunk_size
        assert [each.size for each in usage] == sorted((u.size for u in usage), reverse=True)
        assert {Use.INODES, Use.BITMAPS, Use.DIRECTORIES} <= {each.use for each in usage}


def test_blocks_of_chunks() -> None:
    def touched(chunks: list[int], chunk_size: int, block_size: int) -> list[int]:
        column = np.array(chunks, np.uint32)
        return np.flatnonzero(blocks_of_chunks(column, chunk_size, block_size, 10)).tolist()

    assert touched([1, 4], 4096, 4096) == [1, 4]
    assert touched([1, 4], 8192, 4096) == [2, 3, 8, 9]
    assert touched([1, 4, 9], 1024, 4096) == [0, 1, 2]
    assert touched([4, 5, 99], 8192, 4096) == [8, 9]
    assert touched([], 8192, 4096) == []
