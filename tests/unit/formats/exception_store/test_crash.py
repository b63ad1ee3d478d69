# SPDX-License-Identifier: Apache-2.0
"""Power cuts: the kernel's writes stopped anywhere, reordered between barriers, and torn.

The model logs the order of writes and barriers of section 1.5. A crash keeps all writes before
the last barrier that was reached and any sectors of those after it.
"""

import struct
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import Geometry, StoreWriter, create, read_store, write_area
from liveos.medium.overlay.check import StoreState, check_store
from tests.unit.formats.exception_store.kernel_model import FLUSH, KernelModel
from tests.unit.formats.exception_store.test_properties import MemorySink

SECTOR = 512
SECTORS = 2  # the smallest chunk whose area can be torn: 64 records in two sectors
CHUNK = SECTORS * SECTOR
STORE_CHUNKS = 300
BURSTS = st.lists(st.integers(1, 50), min_size=1, max_size=5)


@dataclass
class Run:
    """What a kernel did: its log, and how long the log was when each burst was acknowledged."""

    model: KernelModel
    start: bytes
    acknowledged: list[tuple[int, dict[int, int]]]


def run_of(bursts: list[int]) -> Run:
    model = KernelModel(bytearray(STORE_CHUNKS * CHUNK), b"", SECTORS)
    run = Run(model, bytes(model.device), [])
    model.log.clear()
    old = 1000
    for burst in bursts:
        chunks = {old + number: bytes([number % 255 + 1]) * CHUNK for number in range(burst)}
        assert model.burst(chunks)
        run.acknowledged.append((len(model.log), {key: model.map[key] for key in chunks}))
        old += burst
    return run


def crashed(run: Run, position: int, data: st.DataObject) -> bytearray:
    """The device after a power cut when ``position`` entries of the log had been issued."""
    device = bytearray(run.start)
    issued = run.model.log[:position]
    barriers = [index for index, entry in enumerate(issued) if entry is FLUSH]
    durable = barriers[-1] if barriers else 0
    for index, entry in enumerate(issued):
        if entry is None:
            continue
        offset, written = entry
        for place in range(0, len(written), SECTOR):
            if index < durable or data.draw(st.booleans()):
                device[offset + place : offset + place + SECTOR] = written[place : place + SECTOR]
    return device


def has_hole(device: bytearray) -> bool:
    """Whether the first area with an empty slot has a record behind it."""
    for area in range(CHUNK, len(device), CHUNK * (CHUNK // 16 + 1)):
        news = [struct.unpack_from("<Q", device, place + 8)[0] for place in
                range(area, area + CHUNK, 16)]  # fmt: skip
        if 0 in news:
            return any(news[news.index(0) :])
    return False


@settings(max_examples=200)
@given(BURSTS, st.data())
def test_nothing_acknowledged_is_missing(bursts: list[int], data: st.DataObject) -> None:
    run = run_of(bursts)
    position = data.draw(st.integers(0, len(run.model.log)))
    device = crashed(run, position, data)
    store = read_store(MemorySource(bytes(device)))
    found = dict(zip(store.old.tolist(), store.new.tolist(), strict=True))
    for length, records in run.acknowledged:
        if length <= position:
            assert records.items() <= found.items()
            for old, new in records.items():
                content = device[new * CHUNK : (new + 1) * CHUNK]
                assert len(set(content)) == 1, f"chunk {old} is torn"
    assert (store.tail.records > 0) == has_hole(device)
    codes = {finding.code for finding in check_store(MemorySource(bytes(device))).findings}
    assert codes <= {"A2"}
    assert ("A2" in codes) == has_hole(device)


@settings(max_examples=100)
@given(BURSTS, st.data())
def test_cleared_tails_stay_dead(bursts: list[int], data: st.DataObject) -> None:
    """Fact 7, cured: rewrite the last area, and a kernel that goes on revives nothing."""
    run = run_of(bursts)
    device = crashed(run, data.draw(st.integers(0, len(run.model.log))), data)
    store = read_store(MemorySource(bytes(device)))
    sink = MemorySink(len(device))
    sink.data = device
    slots = store.geometry.slots_per_area
    last = store.count // slots
    write_area(sink, store.geometry, last, store.old[last * slots :], store.new[last * slots :])
    second = KernelModel(device, b"", SECTORS)
    before = dict(second.map)
    fresh = data.draw(st.integers(1, 60))
    assert second.burst(dict.fromkeys(range(fresh), b"n" * CHUNK))
    second.load()
    assert second.map == before | {number: second.map[number] for number in range(fresh)}
    assert read_store(MemorySource(bytes(device))).tail.first is None


@settings(max_examples=60)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.integers(0, 255), st.data())
def test_a_new_store_cut_off_is_no_store(
    runs: list[int], garbage: int, data: st.DataObject
) -> None:
    """`StoreWriter` onto a blank file: until the end, no kernel takes what is there for a store."""
    geometry = Geometry(SECTORS)
    size = geometry.chunks_for(sum(runs)) * CHUNK
    sink = LoggingSink(size, garbage)
    sink.data[:CHUNK] = bytes(CHUNK)
    start = bytes(sink.data)
    writer = StoreWriter(sink, geometry)
    for number, length in enumerate(runs):
        writer.append(100 * number, b"d" * (length * CHUNK))
    writer.finish()
    run = Run(KernelModel(bytearray(sink.data), b"", SECTORS, log=sink.log), start, [])
    position = data.draw(st.integers(0, len(sink.log)))
    device = crashed(run, position, data)
    if bytes(device[:4]) == b"SnAp":
        assert device == sink.data
    else:
        assert device[:16] == bytes(16)


@given(st.integers(0, 255), st.data())
def test_creating_an_empty_store_cut_off(garbage: int, data: st.DataObject) -> None:
    """Never a header in front of an area that was not cleared (section 1.1)."""
    sink = LoggingSink(40 * CHUNK, garbage)
    start = bytes(sink.data)
    create(sink, Geometry(SECTORS))
    run = Run(KernelModel(bytearray(sink.data), b"", SECTORS, log=sink.log), start, [])
    device = crashed(run, data.draw(st.integers(0, len(sink.log))), data)
    if bytes(device[:4]) == b"SnAp":
        assert read_store(MemorySource(bytes(device))).count == 0


class LoggingSink(MemorySink):
    """A sink that logs like the model."""

    def __init__(self, size: int, fill: int = 0) -> None:
        super().__init__(size, fill)
        self.log: list[tuple[int, bytes] | None] = []

    def write_at(self, offset: int, data: bytes) -> None:
        super().write_at(offset, data)
        self.log.append((offset, data))

    def flush(self) -> None:
        super().flush()
        self.log.append(FLUSH)


def test_the_last_write_makes_it_a_store() -> None:
    sink = LoggingSink(50 * CHUNK, 0xFF)
    writer = StoreWriter(sink, Geometry(SECTORS))
    writer.append(3, b"d" * CHUNK)
    writer.finish()
    *_, header, barrier = sink.log
    assert header is not None
    assert header[0] == 0
    assert barrier is FLUSH
    assert sink.log[-3] is FLUSH
    assert check_store(MemorySource(bytes(sink.data))).state is StoreState.VALID
    assert np.array_equal(read_store(sink.source()).old, [3])
