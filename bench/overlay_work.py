# SPDX-License-Identifier: Apache-2.0
"""``overlay merge`` and ``compact`` beside copies of the same bytes, over a real filesystem."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.measure import Ratio, copy_and_sync, median, run
from liveos.formats.binary import FileSource
from liveos.formats.exception_store import Geometry, StoreWriter, read_store
from liveos.medium.overlay.view import OverlayView

GEOMETRY = Geometry(8)
ROOT_SIZE = "4G"
BASE_FILES, NEW_FILES = 2000, 1500  # of a MiB each; every third new one is deleted again
JOURNALED = 16  # files whose blocks are in the journal, too
TIMES = 5
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Scene:
    """A root, and a store of 1.5 GiB over it whose filesystem needs recovery.

    ``small`` has a quarter of the store's exceptions: changes of some hundred MiB are usual.
    """

    origin: Path
    store: Path
    small: Path


def make(directory: Path) -> Scene:
    """The root with files, changed by debugfs; the changes lie in the store in runs at random."""
    scene = Scene(*(directory / name for name in ("rootfs.img", "overlay", "small")))
    tree, changed, noise = directory / "tree", directory / "changed.img", directory / "noise"
    tree.mkdir()
    for number in range(BASE_FILES):
        (tree / f"base{number}").write_bytes(os.urandom(_MIB))
    _run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-d", tree, scene.origin, ROOT_SIZE)
    subprocess.run(["rm", "-r", str(tree)], check=True)
    _run("cp", "--sparse=always", scene.origin, changed)
    words = []
    noise.mkdir()
    for number in range(NEW_FILES):
        (noise / str(number)).write_bytes(os.urandom(_MIB))
        words.append(f"write {noise / str(number)} /new{number}")
    words += [f"rm /new{number}" for number in range(0, NEW_FILES, 3)]
    _run("debugfs", "-w", "-f", "-", changed, stdin="\n".join(words))
    subprocess.run(["e2fsck", "-fy", str(changed)], check=False, capture_output=True)
    _leave_transactions(changed, noise / "0")
    _write_store(scene, changed)
    changed.unlink()
    subprocess.run(["rm", "-r", str(noise)], check=True)
    return scene


def measure(scene: Scene, scratch: Path) -> list[Ratio]:
    """Each verb and its yardstick in turn, page cache warm."""
    live = scratch / "live"
    words = (scene.store, "--origin", scene.origin, "-o", scratch / "first")
    _liveos("overlay", "compact", *words)
    with FileSource(scratch / "first") as first:
        store = read_store(first)
        size = GEOMETRY.chunks_for(store.count) * GEOMETRY.chunk_size
    with live.open("wb") as file:
        file.write((scratch / "first").read_bytes()[:size])
    (scratch / "first").unlink()
    rows = [_once(scene, scratch, live) for _ in range(TIMES)]
    live.unlink()
    copied, merged, copied_live, replayed, compacted = (
        median(list(column)) for column in zip(*rows, strict=True)
    )
    return [
        Ratio(
            "overlay merge into a new file",
            f"{merged:.1f} s",
            f"{copied:.1f} s for cp --sparse=always and sync",
            merged / copied,
            1.5,
        ),
        Ratio(
            f"overlay compact, {size // _MIB} MiB live",
            f"{compacted:.1f} s",
            f"{copied_live + replayed:.1f} s for cp and sync of these, and the replay",
            compacted / (copied_live + replayed),
            2.0,
        ),
    ]


def _once(scene: Scene, scratch: Path, live: Path) -> tuple[float, float, float, float, float]:
    copy, new = scratch / "copy", scratch / "new"
    start = time.perf_counter()
    run(["cp", "--sparse=always", "--reflink=never", str(scene.origin), str(copy)])
    run(["sync", str(copy)])
    copied = time.perf_counter() - start
    copy.unlink()
    ending: list[str | Path] = ["--origin", scene.origin, "-o", new]
    merged = _liveos("overlay", "merge", scene.small, *ending)
    new.unlink()
    copied_live = copy_and_sync(live, copy)
    copy.unlink()
    compacted = _liveos("overlay", "compact", scene.store, *ending)
    new.unlink()
    return copied, merged, copied_live, _replay(scene), compacted


def _replay(scene: Scene) -> float:
    """Seconds to find and read what the journal changes, in this process."""
    with FileSource(scene.origin) as origin, FileSource(scene.store) as source:
        store = read_store(source)
        start = time.perf_counter()
        recovered = OverlayView(store, source, origin).recovered
        assert recovered is not None
        assert len(recovered.changed_blocks) > 4 * JOURNALED
        for block in recovered.changed_blocks.tolist():
            recovered.read_at(block * recovered.block_size, recovered.block_size)
        return time.perf_counter() - start


def _leave_transactions(image: Path, content: Path) -> None:
    """Write to the blocks of some files through the journal, and stop there."""
    words = ["jo"]
    for number in range(1, 3 * JOURNALED, 3):
        found = _run("debugfs", "-R", f"blocks /new{number}", image).split()
        first = int(found[0])
        whole = [str(first + place) for place in range(len(found))] == found
        if whole:  # one command names a run of blocks
            words.append(f"jw -b {first}-{found[-1]} {content}")
    _run("debugfs", "-w", "-f", "-", image, stdin="\n".join([*words, "jc\n"]))


def _write_store(scene: Scene, changed: Path) -> None:
    old = np.memmap(scene.origin, np.uint64, "r").reshape(-1, 512)
    new = np.memmap(changed, np.uint64, "r").reshape(-1, 512)
    chunks = np.concatenate(
        [start + np.flatnonzero((old[start : start + 8192] != new[start : start + 8192]).any(1))
         for start in range(0, len(old), 8192)]
    )  # fmt: skip
    runs = np.array_split(chunks.astype(np.uint64), len(chunks) // 64)
    order = np.random.default_rng(1).permutation(len(runs)).tolist()
    _write_runs(scene.store, [runs[place] for place in order], new)
    _write_runs(scene.small, [runs[place] for place in order[::4]], new)


def _write_runs(path: Path, runs: list[NDArray[np.uint64]], new: NDArray[np.uint64]) -> None:
    with path.open("w+b") as file:
        records = sum(len(each) for each in runs)
        file.truncate(2 * GEOMETRY.chunks_for(records) * GEOMETRY.chunk_size)
        writer = StoreWriter(_Sink(file.fileno()), GEOMETRY)
        for each in runs:
            writer.append_rows(each, new[each].view(np.uint8))
        writer.finish()
        os.fsync(file.fileno())


class _Sink:
    """A file that is synced once, when all is written."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write_at(self, offset: int, data: bytes) -> None:
        os.pwrite(self._descriptor, data, offset)

    def flush(self) -> None:
        """Do nothing."""


def _liveos(*words: str | Path) -> float:
    program = str(Path(sys.executable).parent / "liveos")
    return run([program, "-q", *map(str, words), "--yes"]).seconds


def _run(*words: str | Path, stdin: str = "") -> str:
    done = subprocess.run(
        [str(word) for word in words], input=stdin.encode(), capture_output=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{words[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode()
