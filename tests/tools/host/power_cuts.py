# SPDX-License-Identifier: Apache-2.0
"""Writes to a stick, recorded, and the states that a power cut could have left of them."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SECTOR = 512


@dataclass
class Recording:
    """What was written to a file, in order; None stands for a flush."""

    base: bytes
    events: list[tuple[int, bytes] | None] = field(default_factory=list)

    def prefixes(self) -> Iterator[bytes]:
        """The file after each write that was followed by no other."""
        state = bytearray(self.base)
        yield bytes(state)
        for event in self.events:
            if event is not None:
                offset, data = event
                state[offset : offset + len(data)] = data
                yield bytes(state)

    def torn(self, chosen: random.Random) -> Iterator[bytes]:
        """For each flush, the file with any of the sectors that were written before it."""
        state = bytearray(self.base)
        new = bytearray(self.base)
        sectors: set[int] = set()
        for event in [*self.events, None]:
            if event is not None:
                offset, data = event
                new[offset : offset + len(data)] = data
                sectors.update(range(offset // SECTOR, -(-(offset + len(data)) // SECTOR)))
                continue
            torn = bytearray(state)
            for sector in sorted(sectors):
                place = slice(sector * SECTOR, (sector + 1) * SECTOR)
                state[place] = new[place]
                if chosen.random() < 0.5:
                    torn[place] = new[place]
            if sectors:
                yield bytes(torn)
            sectors.clear()

    def final(self) -> bytes:
        *_, last = self.prefixes()
        return last


@contextmanager
def recorded(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    """Record what this process writes to a file in the body."""
    recording = Recording(path.read_bytes())
    real_write, real_sync, real_data_sync = os.pwrite, os.fsync, os.fdatasync

    def is_it(descriptor: int) -> bool:
        return os.path.samestat(os.fstat(descriptor), path.stat())

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        if is_it(descriptor):
            recording.events.append((offset, bytes(data)))
        return real_write(descriptor, data, offset)

    def sync(descriptor: int) -> None:
        if is_it(descriptor):
            recording.events.append(None)
        real_sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", pwrite)
        patch.setattr(os, "fsync", sync)
        patch.setattr(os, "fdatasync", sync)
        yield recording
    assert recording.final() == path.read_bytes(), "something else wrote to the file"
    assert real_data_sync is os.fdatasync


@contextmanager
def recorded_with_programs(
    path: Path, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType
) -> Iterator[Recording]:
    """The same, with what the programs write that ``modules`` start by `run` and `feed`.

    Of a program only the sectors are known that it has changed: one event each, in the order of
    the disk, without a flush between them.
    """
    with recorded(path, monkeypatch) as recording, monkeypatch.context() as patch:
        for module in modules:
            patch.setattr(module, "run", _watch_run(recording, path, module.run))
            patch.setattr(module, "feed", _watch_feed(recording, path, module.feed))
        yield recording


def _watch_run(recording: Recording, path: Path, real: Callable[..., Any]) -> Callable[..., Any]:
    def run(*words: object, **options: object) -> object:
        with _changes(recording, path):
            return real(*words, **options)

    return run


def _watch_feed(recording: Recording, path: Path, real: Callable[..., Any]) -> Callable[..., Any]:
    @contextmanager
    def feed(*words: object) -> Iterator[object]:
        with _changes(recording, path), real(*words) as pipe:
            yield pipe

    return feed


@contextmanager
def _changes(recording: Recording, path: Path) -> Iterator[None]:
    before = path.read_bytes()
    yield
    after = path.read_bytes()
    for start in range(0, len(after), SECTOR):
        sector = after[start : start + SECTOR]
        if sector != before[start : start + SECTOR]:
            recording.events.append((start, sector))
