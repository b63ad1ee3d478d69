# SPDX-License-Identifier: Apache-2.0
"""Fates of chunks: what may be dropped is dropped, and the filesystem is none the worse."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import MemorySource
from liveos.formats.ext4.groups import free_map
from liveos.formats.ext4.owners import BlockUse, owners
from liveos.formats.ext4.reader import Ext4
from liveos.medium.overlay.fates import Fate, Fates, fates
from tests.data.snapshot_cases import Recorded
from tests.unit.formats.filesystem_images import images
from tests.unit.medium.overlay.test_view import EXT4, checksums, store_of, view_of


def by_chunk(found: Fates) -> dict[int, Fate]:
    return {old: Fate(fate) for old, fate in zip(found.old.tolist(), found.fate, strict=True)}


@pytest.mark.parametrize("one", EXT4)
def test_what_kernels_wrote_survives_without_the_dead(one: Recorded) -> None:
    """The origin with the live chunks alone holds every file that the kernel found."""
    origin = one.files["origin"]
    view = view_of(one.store, origin)
    found = fates(view)
    assert found.problem is None
    assert view.filesystem
    compacted = bytearray(origin)
    for chunk in found.chunks(Fate.LIVE).tolist():
        compacted[chunk * 4096 : chunk * 4096 + 4096] = view.content.read_at(chunk * 4096, 4096)
    rest = Ext4(MemorySource(bytes(compacted)))
    assert checksums(rest) == checksums(view.filesystem)
    assert np.array_equal(free_map(rest), free_map(view.filesystem))


@pytest.mark.parametrize("one", EXT4)
def test_the_journal_is_never_freed(one: Recorded) -> None:
    view = view_of(one.store, one.files["origin"])
    assert view.filesystem
    journal = np.flatnonzero(owners(view.filesystem).use == BlockUse.JOURNAL)
    changed = np.intersect1d(journal, view.old)
    assert len(changed)
    fate = by_chunk(fates(view))
    assert {fate[block] for block in changed.tolist()} <= {Fate.LIVE, Fate.EQUAL}


def test_an_equal_chunk_is_found_among_freed_and_live_ones() -> None:
    origin = images()["ext2.ext4"]
    free = np.flatnonzero(free_map(Ext4(MemorySource(origin)))).tolist()
    used = sorted(set(range(3, 400)) - set(free))
    same, other = used[10], used[20]
    store = store_of(
        2, {free[3]: b"x" * 1024, other: b"y" * 1024, same: origin[same * 1024 :][:1024]}
    )
    progress: list[tuple[int, int]] = []
    found = fates(view_of(store, origin), lambda done, total: progress.append((done, total)))
    assert by_chunk(found) == {free[3]: Fate.FREED, other: Fate.LIVE, same: Fate.EQUAL}
    assert [found.count(fate) for fate in Fate] == [1, 1, 1]
    assert found.size(Fate.FREED) == 1024
    assert found.chunks(Fate.EQUAL).tolist() == [same]
    assert progress[-1] == (2048, 2048)


@pytest.mark.parametrize("name", ["ext2.ext4", "ext4.ext4"])
@pytest.mark.parametrize("sectors", [1, 2, 4, 8, 64])
def test_a_chunk_is_freed_when_all_its_blocks_are(sectors: int, name: str) -> None:
    """Chunks smaller and larger than the blocks of 1 KiB; all are exceptions, the last partial."""
    origin = images()[name]
    free = free_map(Ext4(MemorySource(origin)))
    changed = bytearray(origin)
    for block in np.flatnonzero(free).tolist():
        changed[block * 1024 : block * 1024 + 1024] = b"\xff" * 1024
    chunk = sectors * 512
    data = {old: bytes(changed[old * chunk :][:chunk]) for old in range(-(-len(origin) // chunk))}
    expected = {}
    for old in data:
        blocks = free[old * chunk // 1024 : -(-(old + 1) * chunk // 1024)]
        kept = Fate.LIVE if blocks.any() else Fate.EQUAL
        expected[old] = Fate.FREED if blocks.all() else kept
    assert by_chunk(fates(view_of(store_of(sectors, data), origin))) == expected


def test_without_a_filesystem_only_equal_chunks_are_dead() -> None:
    origin = b"".join(b"%08d" % (number // 64) for number in range(64 * 50))
    store = store_of(1, {3: origin[3 * 512 : 4 * 512], 9: bytes(512), 49: origin[-512:]})
    found = fates(view_of(store, origin))
    assert found.problem == "not an ext2, ext3 or ext4 filesystem"
    assert by_chunk(found) == {3: Fate.EQUAL, 9: Fate.LIVE, 49: Fate.EQUAL}


@pytest.mark.parametrize("state", [0, 2, 3])
def test_free_blocks_of_a_filesystem_with_errors_count_as_live(state: int) -> None:
    """Without a journal, an unclean one may say free of what a file has; so may a broken one."""
    origin = bytearray(images()["ext2.ext4"])
    free = np.flatnonzero(free_map(Ext4(MemorySource(bytes(origin))))).tolist()
    struct.pack_into("<H", origin, 1024 + 0x3A, state)
    found = fates(view_of(store_of(2, {free[0]: b"x" * 1024}), bytes(origin)))
    assert found.problem
    assert by_chunk(found) == {free[0]: Fate.LIVE}


def test_of_a_partial_last_chunk_only_the_part_in_the_origin_counts() -> None:
    origin = b"o" * (512 * 13)
    store = store_of(8, {1: (b"o" * 512 * 5).ljust(4096, b"?")})
    assert by_chunk(fates(view_of(store, origin))) == {1: Fate.EQUAL}
    differing = store_of(8, {1: (b"o" * 2559 + b"!").ljust(4096, b"o")})
    assert by_chunk(fates(view_of(differing, origin))) == {1: Fate.LIVE}


def test_huge_chunks_are_compared_in_pieces() -> None:
    sectors = 1 << 13  # 4 MiB
    origin = b"o" * (3 * sectors * 512)
    changed = b"o" * (sectors * 512 - 1) + b"!"
    store = store_of(sectors, {0: b"o" * (sectors * 512), 1: changed})
    assert by_chunk(fates(view_of(store, origin))) == {0: Fate.EQUAL, 1: Fate.LIVE}


@given(
    st.dictionaries(st.integers(0, 39), st.booleans(), max_size=40),
    st.sampled_from([1, 2, 8]),
)
def test_equal_chunks_in_any_order(same: dict[int, bool], sectors: int) -> None:
    chunk = sectors * 512
    origin = b"".join(b"%04d" % (number * 4 // chunk) for number in range(40 * chunk // 4))
    data = {
        old: origin[old * chunk : (old + 1) * chunk] if equal else b"\0" * chunk
        for old, equal in same.items()
    }
    found = by_chunk(fates(view_of(store_of(sectors, data), origin)))
    assert found == {old: Fate.EQUAL if equal else Fate.LIVE for old, equal in same.items()}
