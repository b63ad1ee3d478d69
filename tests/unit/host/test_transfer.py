# SPDX-License-Identifier: Apache-2.0
"""Pieces, read ahead, and writes that count when they have arrived."""

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import MemorySource, TruncatedError
from liveos.host import transfer
from liveos.host.transfer import DurableWriter, ReadAhead, crc32_of, pieces


@given(st.binary(max_size=5000), st.integers(min_value=1, max_value=999))
def test_reading_ahead_changes_nothing(data: bytes, step: int) -> None:
    with ReadAhead(MemorySource(data)) as source:
        parts = [
            source.read_at(start, min(step, len(data) - start))
            for start in range(0, len(data), step)
        ]
    assert b"".join(parts) == data


@given(st.binary(min_size=1, max_size=500), st.lists(st.integers(0, 499), max_size=20))
def test_reading_ahead_may_jump(data: bytes, starts: list[int]) -> None:
    with ReadAhead(MemorySource(data)) as source:
        for start in starts:
            low = min(start, len(data))
            high = min(low + 50, len(data))
            assert source.read_at(low, high - low) == data[low:high]


def test_reading_ahead_stops_at_the_end() -> None:
    with ReadAhead(MemorySource(b"abc")) as source, pytest.raises(TruncatedError):
        source.read_at(2, 2)


def test_pieces_and_their_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PIECE", 7)
    data = bytes(range(100))
    assert b"".join(pieces(MemorySource(data), 90)) == data[:90]
    told: list[int] = []
    found = crc32_of(MemorySource(data), 90, told.append)
    assert found == int.from_bytes(gzip.compress(data[:90])[-8:-4], "little")
    assert told[-1] == 90


def test_progress_is_told_only_after_a_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[object] = []
    monkeypatch.setattr(os, "fdatasync", lambda _descriptor: events.append("sync"))
    monkeypatch.setattr(transfer, "_WINDOW", 10)
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    with DurableWriter(descriptor, events.append) as writer:
        for number in range(5):
            writer.write(number * 6, b"x" * 6)
        writer.finish()
    os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"x" * 30
    assert events[-1] == 30
    syncs = 0
    for event in events:
        if event == "sync":
            syncs += 1
        else:
            assert isinstance(event, int)
            assert event <= syncs * 12  # at most two writes of six bytes belong to one sync


def test_an_error_of_the_disk_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    monkeypatch.setattr(transfer, "_WINDOW", 1)
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    with DurableWriter(descriptor, print) as writer:
        writer.write(0, b"x")
        with pytest.raises(OSError, match="Input/output"):
            writer.write(1, b"x")
    os.close(descriptor)
