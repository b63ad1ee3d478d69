# SPDX-License-Identifier: Apache-2.0
"""Compaction that is cut off: the store shows the same files, and the next run ends well.

With ``--every-cut``, each of the last writes and many of those before are tried; without, some.
"""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import compacting, read_store, status_line
from liveos.formats.ext4.groups import free_map
from liveos.formats.ext4.journal_file import open_journal
from liveos.medium.overlay.check import check_store
from liveos.medium.overlay.fates import fates
from liveos.medium.overlay.view import OverlayView
from liveos.operations.overlay import rewriting
from liveos.operations.overlay.compaction import Compaction
from liveos.operations.overlay.perform.compact_in_place import compact
from liveos.operations.overlay.rewriting import write_compacted
from liveos.report import NullReporter, Severity
from tests.sampling import Sampling
from tests.tools.operations.overlay import stores
from tests.unit.formats.exception_store.power_cuts import Device, luck

pytestmark = pytest.mark.tools

VARIANTS = {
    "clean": ([], False, 8),
    "journal": ([], True, 8),
    "small-blocks": (["-t", "ext4", "-b", "1024"], True, 8),
    "large-chunks": (["-t", "ext4", "-b", "1024"], True, 32),
    "old": (["-t", "ext3"], True, 8),
}


@dataclass(frozen=True)
class Scene:
    """A case in memory, and what its filesystem is after the replay that e2fsck does."""

    case: stores.Case
    origin: MemorySource
    store: bytes
    expected: NDArray[np.uint8]
    used: NDArray[np.bool_]


@pytest.fixture(params=VARIANTS, scope="module")
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    options, journal, sectors = VARIANTS[request.param]
    directory = tmp_path_factory.mktemp("cuts")
    case = stores.make(
        directory, *options, size=16, files=8, journal=journal, chunk_sectors=sectors
    )
    origin, store = MemorySource(case.origin.read_bytes()), case.store.read_bytes()
    recovered = stores.recovered(case.view, directory / "recovered.img")
    expected = np.fromfile(recovered, np.uint8)
    # The blocks in use; but not the superblocks' own, where e2fsck leaves the time of its run.
    filesystem = look(Device(store), origin).view.filesystem
    assert filesystem is not None
    size = filesystem.superblock.block_size
    used = np.repeat(~free_map(filesystem), size)
    used = np.pad(used, (0, len(expected) - len(used)), constant_values=False)
    unlike = expected != shown(look(Device(store), origin).view)
    assert int(np.count_nonzero(unlike & used)) < 200
    used[unlike] = False
    # A journal that the filesystem does not ask for may still be full.
    superblock = open_journal(filesystem.source, filesystem.superblock)
    assert superblock is not None
    used[superblock.superblock_offset :][:1024] = False
    return Scene(case, origin, store, expected, used)


def look(device: Device, origin: MemorySource) -> Compaction:
    store = read_store(device)
    view = OverlayView(store, device, origin)
    return Compaction(store, view, fates(view))


def shown(view: OverlayView) -> NDArray[np.uint8]:
    return np.frombuffer(view.content.read_at(0, view.merged.size), np.uint8)


def assert_shows_the_same(view: OverlayView, scene: Scene) -> None:
    assert int(np.count_nonzero((shown(view) != scene.expected) & scene.used)) == 0


def assert_clean(device: Device, origin: MemorySource) -> None:
    found = check_store(device, origin_size=origin.size).findings
    wrong = [each for each in found if each.severity is not Severity.INFO]
    # While records move, some stand there twice.
    assert [each for each in wrong if each.code != "R5"] == []


@pytest.mark.parametrize("seed", range(2))
def test_in_place(
    scene: Scene, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    monkeypatch.setattr(compacting, "_BATCH", 256 << 10)
    dice = random.Random(seed)
    device = Device(scene.store)
    meant = look(device, scene.origin)
    compact(meant, scene.origin, device, NullReporter())
    assert_done(device, scene, len(meant.live))
    events = len(device.tape.events)
    # At the end, the superblocks are exchanged one after the other.
    places = {*dice.sample(range(events), min(events, 40)), *range(max(0, events - 16), events)}
    chosen = list(sampling.of(sorted(places), 12, seed))
    judged = set(dice.sample(chosen, min(8, len(chosen) // 4)))
    for position in chosen:
        left = Device(device.cut(position, dice, luck(dice)))
        assert_clean(left, scene.origin)
        state = look(left, scene.origin)
        assert_shows_the_same(state.view, scene)
        if position in judged:
            assert_files(state.view, scene, tmp_path)
        compact(state, scene.origin, left, NullReporter())
        assert_done(left, scene, len(meant.live))
    assert_files(look(device, scene.origin).view, scene, tmp_path)


def assert_done(device: Device, scene: Scene, live: int) -> None:
    after = look(device, scene.origin)
    assert after.is_compact
    assert after.store.count == live
    assert len(np.unique(after.store.old)) == live
    assert_shows_the_same(after.view, scene)
    before = len(device.tape.events)
    compact(after, scene.origin, device, NullReporter())
    assert all(data is None for _, _, data in device.tape.events[before:])


def assert_files(view: OverlayView, scene: Scene, scratch: Path) -> None:
    """What e2fsck and debugfs find on the snapshot device as the kernel would show it."""
    image = scratch / "shown.img"
    image.write_bytes(view.merged.read_at(0, view.merged.size))
    stores.run("e2fsck", "-fp", image, good=(0, 1))
    stores.assert_files(image, scene.case.kept, scratch)


@pytest.mark.parametrize("seed", range(2))
def test_new_store(scene: Scene, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is whole, it is no store; then it shows the same, and is as small as can be."""
    monkeypatch.setattr(rewriting, "_PART", 128 << 10)
    dice = random.Random(seed)
    meant = look(Device(scene.store), scene.origin)
    new = Device(bytes(len(scene.store)))
    write_compacted(meant, new)
    assert_clean(new, scene.origin)
    after = look(new, scene.origin)
    assert_shows_the_same(after.view, scene)
    assert after.is_compact
    assert after.store.is_canonical
    records = len(meant.live)
    sectors = meant.geometry.chunk_sectors
    areas = records // (sectors * 32) + 1
    allocated, metadata = sectors * (1 + areas + records), sectors * (1 + areas)
    assert status_line(new) == f"{allocated}/{len(scene.store) // 512} {metadata}"
    again = Device(bytes(len(scene.store)))
    write_compacted(after, again)
    assert bool(again.data == new.data)
    for position in range(len(new.tape.events)):
        left = new.cut(position, dice, luck(dice))
        assert bytes(left[:16]) in {bytes(16), bytes(new.data[:16])}
        if any(left[:16]):
            assert bool(left == new.data)
