# SPDX-License-Identifier: Apache-2.0
"""Snapshot stores of many exceptions, read by us and by the least that can read them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from bench.measure import Ratio, median, run
from liveos.formats.binary import FileSource
from liveos.formats.exception_store import (
    Geometry,
    set_valid,
    write_exceptions,
)
from liveos.medium.overlay.status import of_store
from liveos.sizes import format_size

EXCEPTIONS = 10_000_000
MEMORY_BAR = 250 << 20
GEOMETRY = Geometry(8)
TIMES = 5
SMALL, NOMINAL_SIZE, SMALL_TIMES = 100_000, 1 << 40, 25


class _FileSink:
    """A file that need not be durable."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write_at(self, offset: int, data: bytes) -> None:
        os.pwrite(self._descriptor, data, offset)

    def flush(self) -> None:
        """Do nothing: the file is thrown away."""


def make(path: Path, exceptions: int = EXCEPTIONS, size: int | None = None) -> Path:
    """Metadata of 160 MB in a file of nominally 38 GiB; its data chunks are holes."""
    with path.open("wb") as file:
        file.truncate(size or GEOMETRY.chunks_for(exceptions) * GEOMETRY.chunk_size)
        sink = _FileSink(file.fileno())
        old = np.random.default_rng(1).permutation(exceptions).astype(np.uint32)
        write_exceptions(sink, GEOMETRY, old, GEOMETRY.canonical_chunks(exceptions))
        set_valid(sink, GEOMETRY)
    return path


def measure(path: Path) -> list[Ratio]:
    """Status of the store beside reading its metadata chunks, in turn, page cache warm."""
    pairs = [(_seconds("metadata", path), _seconds("status", path)) for _ in range(TIMES)]
    yardstick, ours = (median(list(column)) for column in zip(*pairs, strict=True))
    memory = run([sys.executable, "-m", "bench.big_store", "status", str(path)]).peak_memory
    return [
        Ratio(
            "overlay status, 10 M exceptions",
            f"{ours * 1000:.0f} ms",
            f"{yardstick * 1000:.0f} ms to read the metadata",
            ours / yardstick,
            5.0,
        ),
        Ratio(
            "overlay status: peak memory",
            format_size(memory),
            "250 MiB",
            memory / MEMORY_BAR,
            1.0,
        ),
    ]


def measure_nominal(directory: Path) -> Ratio:
    """Status of one list in a huge sparse file beside the same in the least file, in turn."""
    least = make(directory / "least", SMALL)
    huge = make(directory / "huge", SMALL, NOMINAL_SIZE)
    pairs = [(_timed_status(least), _timed_status(huge)) for _ in range(SMALL_TIMES)]
    yardstick, ours = (median(list(column)) for column in zip(*pairs, strict=True))
    least.unlink()
    huge.unlink()
    return Ratio(
        "overlay status in 1 TiB, mostly empty",
        f"{ours * 1000:.1f} ms",
        f"{yardstick * 1000:.1f} ms for its {SMALL} exceptions alone",
        ours / yardstick,
        1.2,
    )


def _timed_status(path: Path) -> float:
    start = time.perf_counter()
    _status(path)
    return time.perf_counter() - start


def _seconds(what: str, path: Path) -> float:
    argv = [sys.executable, "-m", "bench.big_store", what, str(path)]
    return float(subprocess.run(argv, check=True, capture_output=True).stdout)


def _read_metadata(path: Path) -> None:
    """The yardstick: each metadata chunk into one array, again and again, and nothing else."""
    areas = EXCEPTIONS // GEOMETRY.slots_per_area + 1
    chunk = bytearray(GEOMETRY.chunk_size)
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        for area in range(areas):
            os.preadv(file.fileno(), [chunk], GEOMETRY.area_chunk(area) * GEOMETRY.chunk_size)


def _status(path: Path) -> None:
    """What ``overlay status`` knows of a store on a stick: the line, the room, the forecast."""
    with FileSource(path) as source:
        of_store(source, str(path), str(path), origin_size=EXCEPTIONS * GEOMETRY.chunk_size)


if __name__ == "__main__":
    start = time.perf_counter()
    {"metadata": _read_metadata, "status": _status}[sys.argv[1]](Path(sys.argv[2]))
    print(time.perf_counter() - start)
