# SPDX-License-Identifier: Apache-2.0
"""Edits of a list in place: what they lead to, and that no power cut leaves anything else.

What a store says is told by the model of the kernel, which has no code in common with ours.
"""

import struct
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import Geometry, Header, read_store, write_exceptions
from liveos.formats.exception_store.edit import append, clear_behind, drop, put_records, truncate
from liveos.formats.exception_store.trial import Trial
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.formats.exception_store.power_cuts import Device, luck
from tests.unit.formats.exception_store.test_properties import MemorySink

CHUNKS = 420


def canonical(count: int, sectors: int) -> bytes:
    """A store with ``count`` records, old 1000, 1001 …, written by hand from the layout."""
    geometry = Geometry(sectors)
    sink = MemorySink(CHUNKS * geometry.chunk_size, 0xA5)
    slots = 32 * sectors
    sink.write_at(0, Header.new(geometry).pack().ljust(geometry.chunk_size, b"\0"))
    places = np.array([2 + slot + slot // slots for slot in range(count)], np.uint64)
    write_exceptions(sink, geometry, np.arange(1000, 1000 + count, dtype=np.uint64), places)
    return bytes(sink.data)


def mapping(device: bytes) -> dict[int, int]:
    """What a kernel reads."""
    model = KernelModel(bytearray(device), b"")
    return dict(model.map)


def holes(device: bytes, sectors: int) -> bool:
    """Whether records lie behind the end of the list in the area where it ends."""
    size = 512 * sectors
    for start in range(size, len(device) - size + 1, size * (size // 16 + 1)):
        news = [struct.unpack_from("<Q", device, start + 16 * slot + 8)[0]
                for slot in range(size // 16)]  # fmt: skip
        if 0 in news:
            return any(news[news.index(0) :])
    raise AssertionError("no end")


LISTS = st.sampled_from([1, 2, 8]).flatmap(
    lambda sectors: st.tuples(st.just(sectors), st.integers(0, 3 * 32 * sectors).filter(
        lambda count: count < CHUNKS - 5))
)  # fmt: skip


@settings(max_examples=50)
@given(LISTS, st.data())
def test_drop(shape: tuple[int, int], data: st.DataObject) -> None:
    sectors, count = shape
    unwanted = sorted(data.draw(st.sets(st.integers(0, count - 1)))) if count else []
    file = Device(canonical(count, sectors))
    before = mapping(file.start)
    drop(file, read_store(file), np.array(unwanted, np.int64))
    expected = {old: new for old, new in before.items() if old - 1000 not in set(unwanted)}
    assert mapping(bytes(file.data)) == expected
    assert read_store(file).count == len(expected)
    dice = Random(data.draw(st.integers(0, 1 << 32)))
    for position in range(len(file.tape.events) + 1):
        device = bytes(file.cut(position, dice, luck(dice)))
        now = mapping(device)
        assert expected.items() <= now.items() <= before.items()
        assert not holes(device, sectors)


@settings(max_examples=40)
@given(LISTS, st.data())
def test_truncate(shape: tuple[int, int], data: st.DataObject) -> None:
    sectors, count = shape
    left = data.draw(st.integers(0, count))
    file = Device(canonical(count, sectors))
    before = mapping(file.start)
    truncate(file, Geometry(sectors), count, left)
    assert sorted(mapping(bytes(file.data))) == list(range(1000, 1000 + left))
    dice = Random(data.draw(st.integers(0, 1 << 32)))
    for position in range(len(file.tape.events) + 1):
        device = bytes(file.cut(position, dice, luck(dice)))
        now = mapping(device)
        assert now.items() <= before.items()
        assert sorted(now) == list(range(1000, 1000 + len(now)))
        assert len(now) >= left
        assert not holes(device, sectors)


@settings(max_examples=40)
@given(LISTS, st.data())
def test_clear_behind(shape: tuple[int, int], data: st.DataObject) -> None:
    sectors, count = shape
    content = bytearray(canonical(count, sectors))
    slots = 32 * sectors
    area = 512 * sectors * (1 + (slots + 1) * (count // slots))
    for slot in range(count % slots, slots):
        old, new = data.draw(st.sampled_from([(0, 0), (7, 0), (7, 9)]))
        if slot != count % slots:
            struct.pack_into("<QQ", content, area + 16 * slot, old, new)
    file = Device(bytes(content))
    before = mapping(file.start)
    clear_behind(file, read_store(file))
    assert mapping(bytes(file.data)) == before
    assert read_store(file).tail.first is None
    assert bytes(file.data[: area + 16 * (count % slots)]) == bytes(
        content[: area + 16 * (count % slots)]
    )
    dice = Random(data.draw(st.integers(0, 1 << 32)))
    position = data.draw(st.integers(0, len(file.tape.events)))
    assert mapping(bytes(file.cut(position, dice, luck(dice)))) == before


@settings(max_examples=40)
@given(LISTS, st.integers(0, 140), st.data())
def test_append(shape: tuple[int, int], added: int, data: st.DataObject) -> None:
    """The same as the kernel does with them, one by one."""
    sectors, count = shape
    added = min(added, CHUNKS - 8 - count - count // (32 * sectors))
    chunk = 512 * sectors
    contents = {5 + 3 * number: bytes([1 + number % 255]) * chunk for number in range(added)}
    model = KernelModel(bytearray(canonical(count, sectors)), b"")
    file = Device(bytes(model.device))
    before = dict(model.map)
    append(file, read_store(file), contents)
    for old, content in contents.items():
        assert model.write(old * sectors, content)
    after = mapping(bytes(file.data))
    assert after == model.map
    assert all(file.read_at(after[old] * chunk, chunk) == contents[old] for old in contents)
    dice = Random(data.draw(st.integers(0, 1 << 32)))
    for position in range(len(file.tape.events) + 1):
        device = bytes(file.cut(position, dice, luck(dice)))
        now = mapping(device)
        assert before.items() <= now.items() <= after.items()
        assert not holes(device, sectors)
        assert all(device[now[old] * chunk :][:chunk] == contents[old]
                   for old in contents if old in now)  # fmt: skip


def test_put_records_changes_those_slots_alone() -> None:
    file = Device(canonical(100, 1))
    slots = np.array([0, 31, 32, 99], np.int64)
    column = np.array([7, 8, 9, 10], np.uint64)
    put_records(file, Geometry(1), slots, column, column + np.uint64(100))
    store = read_store(file)
    assert store.old[slots].tolist() == [7, 8, 9, 10]
    assert store.new[slots].tolist() == [107, 108, 109, 110]
    others = np.setdiff1d(np.arange(100), slots)
    assert store.old[others].tolist() == [1000 + slot for slot in others.tolist()]
    assert all(data is None or len(data) == 512 for _, _, data in file.tape.events)


WRITES = st.lists(
    st.one_of(st.none(), st.tuples(st.integers(0, 19_000), st.binary(min_size=1, max_size=900))),
    max_size=20,
)


@given(st.integers(0, 20_000), WRITES, st.data())
def test_a_trial_reads_as_the_store_will(
    size: int, writes: list[tuple[int, bytes] | None], data: st.DataObject
) -> None:
    start = bytes(range(256)) * (size // 256) + b"e" * (size % 256)
    whole = 20_000
    trial = Trial(MemorySource(start), whole)
    wanted = bytearray(start.ljust(whole, b"\0"))
    for write in writes:
        if write is None:
            trial.flush()
        else:
            trial.write_at(*write)
            wanted[write[0] : write[0] + len(write[1])] = write[1]
    offset = data.draw(st.integers(0, whole))
    length = data.draw(st.integers(0, whole - offset))
    assert trial.read_at(offset, length) == wanted[offset : offset + length]
    done = Device(start.ljust(whole, b"\0"))
    trial.carry_out(done)
    assert done.data == wanted
    log = [None if data is None else (at, data) for _, at, data in done.tape.events]
    assert log == [*writes, None]
    changed = [number for number in range(size) if wanted[number] != start[number]]
    kept = {
        place + number
        for span in trial.overwritten()
        for place, length in span.pieces()
        for number in range(length)
    }
    assert set(changed) <= kept
    assert all(number < size for number in kept)


def test_overwritten_parts_are_in_order_and_apart() -> None:
    trial = Trial(MemorySource(bytes(10_000)))
    for offset in (5000, 100, 5004, 150):
        trial.write_at(offset, b"x" * 50)
    assert [next(span.pieces()) for span in trial.overwritten()] == [(100, 100), (5000, 54)]
    with pytest.raises(Exception, match="outside a store of 10000 bytes"):
        trial.write_at(9_999, b"xx")
