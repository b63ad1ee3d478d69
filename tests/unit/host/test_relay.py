# SPDX-License-Identifier: Apache-2.0
"""Bytes read once for several readers."""

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from liveos.errors import InterruptedByUserError
from liveos.formats.binary import ByteSource, FormatError, MemorySource
from liveos.host.relay import AHEAD, Relay
from liveos.host.transfer import PIECE

DATA = random.Random(5).randbytes(40 * PIECE + 12345)


class Counting:
    """A source that notes what is read of it, and how far."""

    def __init__(self, breaks_at: int | None = None, *, slow: bool = False) -> None:
        self._slow = slow
        self._source = MemorySource(DATA)
        self._breaks_at = breaks_at
        self.count = 0
        self.furthest = 0
        self.opened = 0

    @property
    def size(self) -> int:
        return len(DATA)

    def read_at(self, offset: int, length: int) -> bytes:
        if self._breaks_at is not None and offset >= self._breaks_at:
            raise FormatError("a hole in the source")
        if self._slow:
            time.sleep(0.001)  # others come and go meanwhile
        self.count += length
        self.furthest = offset + length
        return self._source.read_at(offset, length)

    @contextmanager
    def open(self) -> Iterator[ByteSource]:
        self.opened += 1
        yield self


def test_each_reader_gets_all_and_the_source_is_read_once() -> None:
    source = Counting(slow=True)
    relay = Relay(source.open, len(DATA), {0, 1, 2})

    def read(reader: int) -> str:
        digest = hashlib.sha256()
        for number, piece in enumerate(relay.pieces(reader)):
            if number % (5 + reader) == 0:
                time.sleep(0.002 * reader)
            digest.update(piece)
        return digest.hexdigest()

    with ThreadPoolExecutor(3) as threads:
        sums = set(threads.map(read, range(3)))
    assert sums == {hashlib.sha256(DATA).hexdigest()}
    assert {relay.sums().sha256} == sums
    assert source.count == len(DATA)
    assert source.opened == 1


def test_a_quick_reader_waits_for_the_slow_one_within_the_window() -> None:
    source = Counting()
    relay = Relay(source.open, len(DATA), {0, 1})
    slow = relay.pieces(1)
    got: list[int] = []
    quick = threading.Thread(target=lambda: got.extend(map(len, relay.pieces(0))))
    quick.start()
    for taken in range(1, 20):
        next(slow)
        assert source.furthest <= (taken + AHEAD) * PIECE
    time.sleep(0.05)
    assert len(got) <= 19 + AHEAD
    relay.leave(1)
    quick.join(10)
    assert sum(got) == len(DATA)


def test_who_leaves_is_not_waited_for_and_reads_no_more() -> None:
    relay = Relay(Counting().open, len(DATA), {0, 1})
    first = relay.pieces(0)
    next(first)
    relay.leave(0)
    with pytest.raises(InterruptedByUserError):
        next(first)
    assert b"".join(relay.pieces(1)) == DATA


def test_a_reader_that_waits_can_be_told_to_leave() -> None:
    relay = Relay(Counting().open, len(DATA), {0, 1})
    ended = threading.Event()

    def read() -> None:
        with pytest.raises(InterruptedByUserError):
            list(relay.pieces(0))
        ended.set()

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.05)
    relay.leave(0)
    thread.join(10)
    assert ended.is_set()


def test_a_damaged_source_is_damaged_for_all() -> None:
    source = Counting(breaks_at=3 * PIECE)
    relay = Relay(source.open, len(DATA), {0, 1})
    for reader in (0, 1):
        with pytest.raises(FormatError, match="hole"):
            list(relay.pieces(reader))
    assert source.count == 3 * PIECE
