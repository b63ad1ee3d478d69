# SPDX-License-Identifier: Apache-2.0
"""Fates of chunks against e2fsck's replay, dumpe2fs's free blocks and a comparison by hand."""

import random
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from liveos.formats.binary import FileSource
from liveos.formats.exception_store import Geometry, StoreWriter, read_store
from liveos.formats.ext4.reader import Ext4
from liveos.medium.overlay.fates import Fate, fates
from liveos.medium.overlay.view import OverlayView
from tests.tools.formats.test_ext4_groups import make, ranges, run
from tests.tools.formats.trees import listing_of_tree, make_tree

pytestmark = pytest.mark.tools


@dataclass(frozen=True)
class Case:
    """A filesystem by the arguments of mke2fs and its size in KiB, and sectors of a chunk."""

    arguments: str
    kilobytes: int
    chunk_sectors: int = 8
    journal: bool = False


# Small groups, so that there are several, and a bitmap that was never written.
CASES = {
    "liveos": Case("-t ext4 -b 4096 -g 4096", 70_000),
    "liveos-journal": Case("-t ext4 -b 4096 -g 4096", 70_000, journal=True),
    "partial-last-chunk": Case("-t ext4 -b 1024", 60_001),
    "large-chunks": Case("-t ext4 -b 1024", 60_002, 32, journal=True),
    "small-chunks": Case("-t ext4 -b 4096 -g 4096", 70_000, 1, journal=True),
    "no-flex": Case("-t ext4 -b 2048 -O ^flex_bg", 70_000),
    "uninit": Case("-t ext4 -b 1024 -O ^metadata_csum,uninit_bg,^64bit", 60_001),
    "meta": Case("-t ext4 -b 1024 -O meta_bg,^resize_inode", 60_000, 4, journal=True),
    "ext3": Case("-t ext3 -b 4096 -g 4096", 70_000, journal=True),
    "ext2": Case("-t ext2 -b 1024", 50_003),
}


class FileSink:
    """A file that a store is written to."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w+b")

    def write_at(self, offset: int, data: bytes) -> None:
        self.file.seek(offset)
        self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


@dataclass(frozen=True)
class Scene:
    """An origin, a store over it, and what e2fsck makes of the two."""

    case: Case
    origin_path: Path
    origin: bytes
    view: bytes
    checked: Path
    store: Path
    exceptions: set[int]

    @property
    def chunk_size(self) -> int:
        return self.case.chunk_sectors * 512


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("tree") / "root")


@pytest.fixture(params=CASES, scope="module")
def scene(
    request: pytest.FixtureRequest, tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> Scene:
    case = CASES[request.param]
    folder = tmp_path_factory.mktemp("fates")
    origin = make(folder / "origin", tree, case.arguments, case.kilobytes)
    changed = folder / "changed"
    run("cp", "--sparse=always", origin, changed)
    use(changed, folder)
    if case.journal:
        leave_in_journal(changed, folder)
    before, after = origin.read_bytes(), changed.read_bytes()
    chunk_size = case.chunk_sectors * 512
    exceptions = differing(before, after, chunk_size)
    exceptions |= set(random.Random(1).sample(range(-(-len(before) // chunk_size)), 100))
    sink = FileSink(folder / "store")
    writer = StoreWriter(sink, Geometry(case.chunk_sectors))
    order = sorted(exceptions)
    random.Random(2).shuffle(order)
    for old in order:
        writer.append(old, after[old * chunk_size : (old + 1) * chunk_size])
    writer.finish()
    sink.file.close()
    if case.journal:
        run("e2fsck", "-E", "journal_only", "-p", changed)
    return Scene(case, origin, before, after, changed, folder / "store", exceptions)


def use(image: Path, folder: Path) -> None:
    """Write files, overwrite where others were removed, and remove most of them again."""
    noise = random.Random(4)
    requests = ["rm mixed", "rm text"]
    for number in range(12):
        (folder / f"new{number}").write_bytes(noise.randbytes(noise.randrange(900_000)))
        requests.append(f"write {folder}/new{number} new{number}")
    requests += [f"rm new{number}" for number in range(0, 12, 2)]
    requests += ["mkdir newdir", "symlink newdir/link small", "rm many/000003-" + "n" * 50]
    debugfs(image, *requests)


def leave_in_journal(image: Path, folder: Path) -> None:
    """The superblock asks for recovery: blocks of the journal free and take blocks."""
    late = folder / "late"
    run("cp", "--sparse=always", image, late)
    (folder / "last").write_bytes(random.Random(5).randbytes(300_000))
    debugfs(late, "rm new1", "rm program", f"write {folder}/last last", "rm Deep/er/est/file")
    block_size = block_size_of(image)
    new = late.read_bytes()
    blocks = sorted(differing(image.read_bytes(), new, block_size))
    content = folder / "blocks"
    content.write_bytes(b"".join(new[n * block_size : (n + 1) * block_size] for n in blocks))
    numbers = ",".join(map(str, blocks))
    debugfs(image, "journal_open", f"journal_write -b {numbers} {content}", "journal_close")
    assert "needs_recovery" in run("dumpe2fs", "-h", image)


@cache
def block_size_of(image: Path) -> int:
    told = re.search(r"Block size: +(\d+)", run("dumpe2fs", "-h", image))
    assert told
    return int(told[1])


def debugfs(image: Path, *requests: str) -> None:
    script = image.with_suffix(".requests")
    script.write_text("\n".join(requests) + "\n")
    done = subprocess.run(
        ["debugfs", "-w", "-f", script, image], check=True, capture_output=True, text=True
    )
    problems = [line for line in done.stderr.splitlines() if not line.startswith("debugfs ")]
    assert not problems


def differing(one: bytes, other: bytes, size: int) -> set[int]:
    """Pieces of ``size`` bytes that are not the same."""
    places = np.flatnonzero(np.frombuffer(one, np.uint8) != np.frombuffer(other, np.uint8))
    return set(np.unique(places // size).tolist())


@pytest.fixture(scope="module")
def free(scene: Scene) -> set[int]:
    """Free blocks after the replay, by dumpe2fs."""
    lists = re.findall(r"(?m)^  Free blocks: (.*)$", run("dumpe2fs", scene.checked))
    return {block for text in lists for block in ranges(text)}


def expected(scene: Scene, free: set[int], chunk: int, after: bytes) -> Fate:
    """By hand, a chunk at a time."""
    block_size = block_size_of(scene.checked)
    start = chunk * scene.chunk_size
    end = min(start + scene.chunk_size, len(scene.origin))
    if free.issuperset(range(start // block_size, -(-end // block_size))):
        return Fate.FREED
    return Fate.EQUAL if scene.origin[start:end] == after[start:end] else Fate.LIVE


def test_every_chunk_has_the_fate_that_it_has_by_hand(scene: Scene, free: set[int]) -> None:
    after = scene.checked.read_bytes()
    with FileSource(scene.store) as store, FileSource(scene.origin_path) as origin:
        view = OverlayView(read_store(store), store, origin)
        found = fates(view)
    assert found.problem is None
    replayed = differing(scene.view, after, scene.chunk_size)
    assert bool(replayed) == scene.case.journal
    assert set(view.old.tolist()) >= scene.exceptions | replayed
    assert set(view.old.tolist()) == scene.exceptions | set(view.added.tolist())
    ours = {old: Fate(fate) for old, fate in zip(found.old.tolist(), found.fate, strict=True)}
    assert ours == {old: expected(scene, free, old, after) for old in ours}
    assert {Fate.LIVE, Fate.FREED, Fate.EQUAL} == set(ours.values())


def test_without_the_dead_e2fsck_finds_nothing_wrong(scene: Scene, tmp_path: Path) -> None:
    """The origin with the live chunks alone is a sound filesystem with the same files."""
    compacted = tmp_path / "compacted"
    run("cp", "--sparse=always", scene.origin_path, compacted)
    with (
        FileSource(scene.store) as store,
        FileSource(scene.origin_path) as origin,
        compacted.open("r+b") as file,
    ):
        view = OverlayView(read_store(store), store, origin)
        size = view.chunk_size
        for chunk in fates(view).chunks(Fate.LIVE).tolist():
            file.seek(chunk * size)
            length = min(size, view.merged.size - chunk * size)
            file.write(view.content.read_at(chunk * size, length))
    run("e2fsck", "-fn", compacted)
    with FileSource(compacted) as ours, FileSource(scene.checked) as theirs:
        assert listing_of_tree(Ext4(ours)) == listing_of_tree(Ext4(theirs))
