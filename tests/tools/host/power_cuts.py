# SPDX-License-Identifier: Apache-2.0
"""Writes to a stick, recorded, and the states that a power cut could have left of them."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SECTOR = 512
_PIECE = 64 << 10


@dataclass(frozen=True)
class States:
    """Contents of a file, each made when it is asked for: a stick in all its states is large."""

    makers: tuple[Callable[[], bytes], ...]

    def __len__(self) -> int:
        return len(self.makers)

    def __getitem__(self, number: int) -> bytes:
        return self.makers[number]()

    def __iter__(self) -> Iterator[bytes]:
        return (make() for make in self.makers)


@dataclass
class Recording:
    """What was written to a file, in order; None stands for a flush."""

    base: bytes
    events: list[tuple[int, bytes] | None] = field(default_factory=list)

    def prefixes(self) -> States:
        """The file after each write that was followed by no other."""
        writes = [number for number, event in enumerate(self.events, 1) if event is not None]
        return States(tuple(partial(self._after, count) for count in (0, *writes)))

    def torn(self, chosen: random.Random) -> States:
        """For each flush, the file with any of the sectors that were written before it."""
        flushes = [number for number, event in enumerate(self.events) if event is None]
        ends = [*flushes, len(self.events)]
        starts = [0, *(number + 1 for number in flushes)]
        spans = [span for span in zip(starts, ends, strict=True) if span[0] < span[1]]
        return States(tuple(partial(self._torn, *span, chosen.random()) for span in spans))

    def final(self) -> bytes:
        return self._after(len(self.events))

    def _after(self, count: int) -> bytes:
        state = bytearray(self.base)
        for event in self.events[:count]:
            if event is not None:
                offset, data = event
                state[offset : offset + len(data)] = data
        return bytes(state)

    def _torn(self, start: int, end: int, seed: float) -> bytes:
        """The file at ``start``, with some of the sectors that it has at ``end``."""
        torn, new = bytearray(self._after(start)), self._after(end)
        sectors: set[int] = set()
        for offset, data in filter(None, self.events[start:end]):
            sectors.update(range(offset // SECTOR, -(-(offset + len(data)) // SECTOR)))
        dice = random.Random(seed)
        for sector in sorted(sectors):
            if dice.random() < 0.5:
                place = slice(sector * SECTOR, (sector + 1) * SECTOR)
                torn[place] = new[place]
        return bytes(torn)


def leave(state: bytes, path: Path) -> None:
    """Make a file what it may be after a cut.

    Only what differs is written: e2fsck waits until all that was written has reached the disk.
    """
    with path.open("r+b") as file:
        for start in range(0, len(state), _PIECE):
            piece = state[start : start + _PIECE]
            file.seek(start)
            if file.read(_PIECE) != piece:
                file.seek(start)
                file.write(piece)


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
            for name, watch in (("run", _watch_run), ("feed", _watch_feed)):
                if hasattr(module, name):
                    patch.setattr(module, name, watch(recording, path, getattr(module, name)))
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
