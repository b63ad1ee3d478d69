# SPDX-License-Identifier: Apache-2.0
"""Properties: the model against the reader, round trips, and any bytes at all."""

import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from liveos.formats.binary import FormatError, MemorySource, TruncatedError
from liveos.formats.exception_store import (
    Duplicates,
    Geometry,
    Header,
    MergedView,
    StoreWriter,
    UnterminatedStoreError,
    create,
    read_store,
    set_valid,
    status_line,
    store_status,
    write_exceptions,
)
from tests.unit.formats.exception_store.kernel_model import KernelModel

ORIGIN_SECTORS = 203
CHUNKS = st.sampled_from([1, 2, 4])


class MemorySink:
    """A device in memory, which counts its barriers and may be cut off after some writes."""

    def __init__(self, size: int, fill: int = 0) -> None:
        self.data = bytearray([fill]) * size
        self.flushes = 0

    def write_at(self, offset: int, data: bytes) -> None:
        assert offset + len(data) <= len(self.data)
        self.data[offset : offset + len(data)] = data

    def flush(self) -> None:
        self.flushes += 1

    def source(self) -> MemorySource:
        return MemorySource(bytes(self.data))


WRITES = st.lists(
    st.tuples(st.integers(0, ORIGIN_SECTORS - 9), st.integers(1, 8), st.integers(1, 255)),
    max_size=90,
)


@settings(max_examples=150)
@given(CHUNKS, st.integers(12, 400), WRITES, st.booleans(), st.sampled_from(["P", "PO"]))
def test_reader_sees_what_the_model_did(
    sectors: int, store_sectors: int, writes: list[tuple[int, int, int]], reload: bool, option: str
) -> None:
    origin = bytes(range(1, 204)) * (ORIGIN_SECTORS * 512 // 203)
    origin = origin.ljust(ORIGIN_SECTORS * 512, b"x")
    model = KernelModel(bytearray(store_sectors * 512), origin, sectors, option)
    for sector, count, fill in writes:
        model.write(sector, bytes([fill]) * (512 * count))
        source = MemorySource(bytes(model.device))
        if not model.overflowed:
            assert status_line(source) == model.status()
    if reload:
        before = bytes(model.device)
        model.load()
        assert bytes(model.device) == before
    source = MemorySource(bytes(model.device))
    store = read_store(source)
    if model.valid:
        assert store.is_canonical
        assert dict(zip(store.old.tolist(), store.new.tolist(), strict=True)) == model.map
    view = MergedView(MemorySource(origin), store, source)
    assert view.size == len(origin)
    if model.valid:
        assert view.read_at(0, view.size) == model.view()
        assert view.changed_chunks == len(model.map)


@settings(max_examples=100)
@given(CHUNKS, WRITES, st.data())
def test_view_at_random_places(
    sectors: int, writes: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    origin = np.arange(ORIGIN_SECTORS * 128, dtype=np.uint32).tobytes()
    model = KernelModel(bytearray(400 * 512), origin, sectors)
    for sector, count, fill in writes:
        model.write(sector, bytes([fill]) * (512 * count))
    source = MemorySource(bytes(model.device))
    view = MergedView(MemorySource(origin), read_store(source), source)
    whole = model.view()
    start = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, len(whole) - start))
    assert view.read_at(start, length) == whole[start : start + length]
    pieces = list(view.pieces(start, length))
    assert sum(piece.length for piece in pieces) == length
    assert all(piece.length > 0 for piece in pieces)
    with pytest.raises(FormatError):
        view.read_at(start, len(whole) - start + 1)


@settings(max_examples=60)
@given(CHUNKS, WRITES, st.integers(0, 200), st.booleans())
def test_merge_in_any_steps_gives_the_view(
    sectors: int, writes: list[tuple[int, int, int]], steps: int, reload: bool
) -> None:
    origin = bytearray(np.arange(ORIGIN_SECTORS * 128, dtype=np.uint32).tobytes())
    model = KernelModel(bytearray(400 * 512), origin, sectors)
    for sector, count, fill in writes:
        model.write(sector, bytes([fill]) * (512 * count))
    before = model.view()
    for _ in range(steps):
        model.merge_step()
    if reload:
        model.load()
    source = MemorySource(bytes(model.device))
    view = MergedView(MemorySource(bytes(model.origin)), read_store(source), source)
    assert view.read_at(0, view.size) == before
    while model.merge_step():
        pass
    assert model.origin == before
    fresh = 2 * sectors
    assert model.status() == status_line(MemorySource(bytes(model.device)))
    assert model.status() == f"{fresh}/400 {fresh}"


@settings(max_examples=60)
@given(CHUNKS, st.lists(st.integers(1, 40), max_size=12), st.integers(0, 255))
def test_written_store_equals_the_models(sectors: int, runs: list[int], garbage: int) -> None:
    """Whole-chunk writes by the kernel's model and by `StoreWriter`: the same bytes."""
    geometry = Geometry(sectors)
    size = geometry.chunks_for(sum(runs)) * geometry.chunk_size
    model = KernelModel(bytearray(size), b"", sectors)
    sink = MemorySink(size, garbage)
    writer = StoreWriter(sink, geometry)
    old = 3
    for number, run in enumerate(runs):
        data = bytes([number + 1]) * (run * geometry.chunk_size)
        assert model.write(old * sectors, data)
        writer.append(old, data)
        old += run + number % 2
    assert writer.finish() == sum(runs)
    assert sink.data == model.device
    assert store_status(read_store(sink.source())) == model.status()


RECORDS = st.lists(
    st.tuples(st.integers(0, (1 << 64) - 1), st.integers(1, (1 << 64) - 1)), max_size=200
)


@given(CHUNKS, RECORDS)
def test_any_list_goes_out_and_comes_back(sectors: int, records: list[tuple[int, int]]) -> None:
    geometry = Geometry(sectors)
    sink = MemorySink(geometry.chunks_for(len(records)) * geometry.chunk_size, 0xFF)
    old = np.array([old for old, _ in records], np.uint64)
    new = np.array([new for _, new in records], np.uint64)
    write_exceptions(sink, geometry, old, new)
    set_valid(sink, geometry)
    store = read_store(sink.source())
    assert store.old.tolist() == old.tolist()
    assert store.new.tolist() == new.tolist()
    assert store.terminated
    assert store.tail.first is None


@given(CHUNKS, st.integers(0, 255))
def test_created_store_is_empty_whatever_lay_there(sectors: int, garbage: int) -> None:
    sink = MemorySink(40 * 512, garbage)
    create(sink, Geometry(sectors))
    assert status_line(sink.source()) == f"{2 * sectors}/40 {2 * sectors}"
    set_valid(sink, Geometry(sectors), valid=False)
    assert status_line(sink.source()) == "Invalid"


# Any bytes


def naive_records(data: bytes) -> list[tuple[int, int]] | None:
    """The list by the specification, one record at a time; None where no store is."""
    if len(data) < 16:
        return None
    magic, _valid, version, sectors = struct.unpack_from("<4s3I", data)
    if magic != b"SnAp" or version != 1 or sectors.bit_count() != 1 or sectors > 1 << 21:
        return None
    chunk = sectors * 512
    found: list[tuple[int, int]] = []
    area = chunk
    while area + chunk <= len(data) // 512 * 512:
        for place in range(area, area + chunk, 16):
            record = struct.unpack_from("<QQ", data, place)
            if record[1] == 0:
                return found
            found.append(record)
        area += chunk * (chunk // 16 + 1)
    return found


VALUES = st.one_of(st.integers(0, 90), st.sampled_from([1 << 32, 1 << 56, (1 << 64) - 1]))
LIKELY_STORES = st.builds(
    lambda head, slots, pad: (
        b"SnAp"
        + struct.pack("<3I", *head).ljust(508, b"\0")
        + b"".join(struct.pack("<QQ", *slot) for slot in slots)
        + pad
    ),
    st.tuples(
        st.integers(0, 2), st.sampled_from([1, 1, 1, 2]), st.sampled_from([1, 2, 3, 1 << 21])
    ),
    st.lists(st.tuples(VALUES, VALUES), max_size=70),
    st.binary(max_size=700),
)


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=3000), LIKELY_STORES), st.sampled_from([None, *Duplicates]))
@example(b"", None)
def test_any_bytes_are_a_store_or_an_error(data: bytes, rule: Duplicates | None) -> None:
    source = MemorySource(data)
    expected = naive_records(data)
    if expected is None:
        with pytest.raises(FormatError):
            read_store(source)
        return
    store = read_store(source)
    assert list(zip(store.old.tolist(), store.new.tolist(), strict=True)) == expected
    try:
        status_line(source)
        view = MergedView(MemorySource(bytes(60 * 512)), store, source, duplicates=rule)
        view.read_at(0, view.size)
    except FormatError:
        pass


@given(st.binary(min_size=16, max_size=16))
def test_header_round_trip(data: bytes) -> None:
    assert Header.unpack(data).pack() == data


def test_a_list_longer_than_allowed_is_refused() -> None:
    geometry = Geometry(1)
    sink = MemorySink(geometry.chunks_for(100) * 512)
    column = np.arange(1, 101, dtype=np.uint64)
    write_exceptions(sink, geometry, column, column)
    set_valid(sink, geometry)
    assert read_store(sink.source(), max_exceptions=100).count == 100
    with pytest.raises(FormatError, match="more than 99"):
        read_store(sink.source(), max_exceptions=99)


def test_a_store_cut_before_its_terminator_has_records_but_no_status() -> None:
    geometry = Geometry(1)
    sink = MemorySink(geometry.chunks_for(32) * 512)
    column = np.arange(2, 34, dtype=np.uint64)
    write_exceptions(sink, geometry, column, column)
    set_valid(sink, geometry)
    cut = MemorySource(bytes(sink.data[:-512]))
    assert read_store(cut).count == 32
    assert not read_store(cut).terminated
    with pytest.raises(UnterminatedStoreError):
        status_line(cut)


def test_an_area_larger_than_a_block_is_read_in_pieces() -> None:
    geometry = Geometry(8192)  # 4 MiB
    sink = MemorySink(2 * geometry.chunk_size)
    create(sink, geometry)
    count = 100_000
    column = np.arange(count, dtype=np.uint64) + np.uint64(5)
    records = np.column_stack((column, column)).tobytes()
    sink.write_at(geometry.chunk_size, records)
    sink.write_at(geometry.chunk_size + 16 * 110_000, struct.pack("<QQ", 9, 9))
    sink.write_at(2 * geometry.chunk_size - 16, struct.pack("<QQ", 9, 9))
    sink.write_at(2 * geometry.chunk_size - 48, struct.pack("<QQ", 9, 0))
    store = read_store(sink.source())
    assert store.count == count
    assert (store.tail.records, store.tail.strays) == (2, 1)
    assert store.tail.first == 110_000


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(2, 30)), max_size=32),
    st.sampled_from(Duplicates),
    st.integers(1, 4),
)
def test_duplicates_by_the_rule_in_windows_of_any_size(
    records: list[tuple[int, int]], rule: Duplicates, window: int
) -> None:
    data = [bytes([number]) * 512 for number in range(40)]
    sink = MemorySink(40 * 512)
    sink.write_at(0, b"".join(data))
    old = np.array([old for old, _ in records], np.uint64)
    new = np.array([new for _, new in records], np.uint64)
    write_exceptions(sink, Geometry(1), old, new)
    set_valid(sink, Geometry(1))
    order = records if rule is Duplicates.LAST else records[::-1]
    chosen = dict(order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("liveos.formats.exception_store.view._WINDOW", window)
        origin = MemorySource(bytes(13 * 512))
        store = read_store(sink.source())
        view = MergedView(origin, store, sink.source(), duplicates=rule)
        whole = view.read_at(0, view.size)
    assert view.changed_chunks == len(chosen)
    for chunk in range(13):
        expected = data[chosen[chunk]] if chunk in chosen else bytes(512)
        assert whole[chunk * 512 : (chunk + 1) * 512] == expected


def test_equal_duplicates_need_no_choice() -> None:
    sink = MemorySink(20 * 512, 7)
    write_exceptions(sink, Geometry(1), np.array([3, 3], np.uint64), np.array([9, 9], np.uint64))
    set_valid(sink, Geometry(1))
    view = MergedView(MemorySource(bytes(9 * 512)), read_store(sink.source()), sink.source())
    assert view.read_at(3 * 512, 512) == bytes([7]) * 512
    assert view.changed_chunks == 1


def test_reading_behind_the_data_is_a_truncation() -> None:
    geometry = Geometry(1)
    sink = MemorySink(4 * 512)
    write_exceptions(sink, geometry, np.array([7], np.uint64), np.array([9], np.uint64))
    set_valid(sink, geometry)
    view = MergedView(MemorySource(bytes(20 * 512)), read_store(sink.source()), sink.source())
    assert view.read_at(0, 7 * 512) == bytes(7 * 512)
    with pytest.raises(TruncatedError):
        view.read_at(7 * 512, 1)
