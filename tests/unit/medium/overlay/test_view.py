# SPDX-License-Identifier: Apache-2.0
"""Overlays as filesystems: what kernels wrote, and origins that hold no filesystem."""

import hashlib
import re
import struct
from collections.abc import Mapping

import numpy as np
import pytest

from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import (
    AmbiguousStoreError,
    Duplicates,
    Geometry,
    StoreWriter,
    read_store,
)
from liveos.formats.ext4.reader import Ext4
from liveos.formats.tree import FileKind
from liveos.medium.overlay.view import OverlayView
from tests.data.snapshot_cases import Recorded, header, raw_store, recorded, recordings
from tests.unit.formats.exception_store.test_properties import MemorySink
from tests.unit.formats.filesystem_images import images


def view_of(store: bytes, origin: bytes, rule: Duplicates | None = None) -> OverlayView:
    source = MemorySource(store)
    return OverlayView(read_store(source), source, MemorySource(origin), duplicates=rule)


def store_of(chunk_sectors: int, exceptions: Mapping[int, bytes]) -> bytes:
    """A store with the data of these chunks."""
    geometry = Geometry(chunk_sectors)
    sink = MemorySink(geometry.chunks_for(len(exceptions)) * geometry.chunk_size)
    writer = StoreWriter(sink, geometry)
    for old, data in exceptions.items():
        writer.append(old, data)
    writer.finish()
    return bytes(sink.data)


def checksums(fs: Ext4) -> dict[str, str]:
    """SHA-256 of every file, by its path from the root."""
    return {
        f".{node.path}": hashlib.sha256(fs.open(node).read_at(0, node.size)).hexdigest()
        for node in fs.walk()
        if node.kind is FileKind.FILE
    }


EXT4 = recorded(lambda one: one.name.startswith("ext4-"))


@pytest.mark.parametrize("one", EXT4)
def test_files_are_those_that_the_kernel_found(one: Recorded) -> None:
    """It mounted the snapshot, which replayed the journal of the crashed ones."""
    view = view_of(one.store, one.files["origin"])
    assert view.problem is None
    assert view.filesystem
    listed = re.findall(r"(?m)^([0-9a-f]{64})  (\S+)$", one.facts["files"])
    assert checksums(view.filesystem) == {path: digest for digest, path in listed}


@pytest.mark.parametrize("one", EXT4)
def test_all_that_differs_from_the_origin_is_in_old(one: Recorded) -> None:
    origin = one.files["origin"]
    view = view_of(one.store, origin)
    assert view.recovered
    assert view.recovered.replayed == (one.name == "ext4-crashed")
    content = np.frombuffer(view.content.read_at(0, len(origin)), np.uint8).reshape(-1, 4096)
    different = content != np.frombuffer(origin, np.uint8).reshape(-1, 4096)
    assert set(np.flatnonzero(different.any(axis=1)).tolist()) <= set(view.old.tolist())
    store = read_store(MemorySource(one.store))
    assert sorted({*store.old.tolist(), *view.added.tolist()}) == view.old.tolist()


def test_origin_without_a_filesystem() -> None:
    store = raw_store(20, header(1), {0: [(7, 2), (3, 3)]})
    view = view_of(store, bytes(100 * 512))
    assert view.filesystem is None
    assert view.recovered is None
    assert view.problem == "not an ext2, ext3 or ext4 filesystem"
    assert view.content is view.merged
    assert view.old.tolist() == [3, 7]
    assert (view.chunks, view.chunk_size) == (100, 512)


def test_damaged_journal_is_a_problem_and_no_filesystem() -> None:
    data = bytearray(images()["ext4.ext4"])
    struct.pack_into("<I", data, 1024 + 0x60, 0x4 | struct.unpack_from("<I", data, 1024 + 0x60)[0])
    view = view_of(raw_store(20, header(1), {}), bytes(data))
    assert view.filesystem is None
    assert view.problem == "the filesystem needs recovery, but has no journal"


def test_contradicting_records_need_a_rule() -> None:
    store = raw_store(20, header(1), {0: [(7, 2), (7, 3)]})
    with pytest.raises(AmbiguousStoreError):
        view_of(store, bytes(100 * 512))
    for rule in Duplicates:
        assert view_of(store, bytes(100 * 512), rule).old.tolist() == [7]


@pytest.mark.parametrize("sectors", [1, 2, 4, 8, 32])
def test_replay_adds_whole_chunks(sectors: int) -> None:
    """The same crashed filesystem as an origin with an empty store of other chunk sizes."""
    one = recordings()["trixie", "ext4-crashed"]
    crashed = view_of(one.store, one.files["origin"]).merged
    chunk = 512 * sectors
    view = view_of(store_of(sectors, {}), crashed.read_at(0, crashed.size))
    assert view.recovered
    blocks = view.recovered.changed_blocks
    starts = (blocks[:, None] * 4096 + np.arange(0, 4096, 512)).reshape(-1)
    expected = {byte // chunk for byte in starts.tolist()}
    assert set(view.added.tolist()) == set(view.old.tolist()) == expected
