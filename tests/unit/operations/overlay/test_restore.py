# SPDX-License-Identifier: Apache-2.0
"""Putting metadata back: what a power cut leaves, and data that are copied and compared."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.errors import ProblemsFoundError, RefusedError, UnsupportedError
from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import (
    metadata_spans,
    read_pack,
    read_store,
    status_line,
    write_pack,
)
from liveos.formats.exception_store.spans import Span, SpannedSource
from liveos.formats.exception_store.text import write_text
from liveos.medium.overlay.locate import open_overlay
from liveos.operations.overlay.perform.restore import compare_sums, copy_data, put_back
from liveos.operations.overlay.plans.restore import NewStore, plan_into, plan_new
from liveos.operations.steps.overlay import RestoreInto, RestoreNew, Subject
from liveos.report import NullReporter
from tests.data.snapshot_cases import Recorded, recorded, recordings
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.formats.exception_store.power_cuts import Device
from tests.unit.formats.exception_store.test_properties import MemorySink

SIZE = 300 * 1024
LOADABLE = recorded(lambda one: "reloaded" in one.facts and one.facts["reloaded"] != "Invalid")


def packed(data: bytes, *spans: Span) -> SpannedSource:
    chosen = spans or metadata_spans(read_store(MemorySource(data)))
    return read_pack(MemorySource(b"".join(write_pack(MemorySource(data), chosen))))


def filled(bursts: list[int]) -> bytes:
    """A store of 300 chunks of two sectors, as a kernel fills it."""
    model = KernelModel(bytearray(SIZE), b"", 2)
    old = 1000
    for burst in bursts:
        assert model.burst({old + n: bytes([n % 255 + 1]) * 1024 for n in range(burst)})
        old += burst + 3
    return bytes(model.device)


BURSTS = st.lists(st.integers(1, 60), max_size=4)


@settings(max_examples=150)
@given(BURSTS, BURSTS, st.data(), st.sampled_from([0.0, 0.5, 1.0]))
def test_a_cut_leaves_the_old_store_the_new_one_or_one_that_says_that_it_is_none(
    before: list[int], after: list[int], data: st.DataObject, luck: float
) -> None:
    old, new = filled(before), filled(after)
    recording = packed(new)
    target = Device(old)
    put_back(target, recording)
    position = data.draw(st.integers(0, len(target.tape.events)))
    left = target.cut(position, random.Random(position), luck)
    kept = [piece for span in recording.spans for piece in span.pieces()]

    def same(other: bytes) -> bool:
        return all(left[start : start + many] == other[start : start + many]
                   for start, many in kept)  # fmt: skip

    assert same(old) or same(new) or status_line(MemorySource(bytes(left))) == "Invalid"
    again = Device(left)
    put_back(again, recording)
    start, many = kept[-1]
    assert again.data[: start + many] == target.data[: start + many]
    for start, many in kept:
        assert again.data[start : start + many] == new[start : start + many]


def test_what_differs_in_the_first_sector_only_takes_one_write() -> None:
    """As after a repair that only set the store valid: there is no moment in between."""
    alive = filled([9])
    dead = alive[:4] + bytes(4) + alive[8:]
    target = Device(alive)
    put_back(target, packed(dead))
    assert target.data == dead
    assert [data for _, _, data in target.tape.events if data is not None] == [dead[:512]]


def test_what_repair_overwrites_of_the_data_can_be_kept_too() -> None:
    store = filled([20])
    header, areas = metadata_spans(read_store(MemorySource(store)))
    recording = packed(store, header, areas, Span.single(66 * 1024, 1024))
    target = Device(bytes(SIZE))
    put_back(target, recording)
    assert target.data[66 * 1024 : 67 * 1024] == store[66 * 1024 : 67 * 1024]
    assert target.data[64 * 1024 : 65 * 1024] == bytes(1024)


@pytest.mark.parametrize("one", LOADABLE)
def test_with_the_data_the_kernels_store_comes_back(one: Recorded) -> None:
    """What matters of a store: metadata, and the chunks that records name."""
    source = MemorySource(one.store)
    store = read_store(source)
    recording = packed(one.store)
    sink = MemorySink(len(one.store))
    copy_data(sink, store, source, NullReporter())
    size = store.geometry.chunk_size
    stride = store.geometry.stride
    named = {new for new in store.new.tolist() if 2 <= new < store.chunks and new % stride != 1}
    for chunk in range(store.chunks):
        expected = one.store[chunk * size : (chunk + 1) * size] if chunk in named else bytes(size)
        assert sink.data[chunk * size : (chunk + 1) * size] == expected
    target = Device(sink.data)
    put_back(target, recording)
    assert status_line(MemorySource(bytes(target.data))) == one.facts["reloaded"]


def test_data_must_all_be_there() -> None:
    one = recordings()["trixie", "records-257"]
    store = read_store(MemorySource(one.store))
    end = 4096 * (int(store.new.max()) + 1)
    copy_data(MemorySink(len(one.store)), store, MemorySource(one.store[:end]), NullReporter())
    with pytest.raises(UnsupportedError, match=str(end)):
        copy_data(
            MemorySink(len(one.store)), store, MemorySource(one.store[: end - 1]), NullReporter()
        )


def test_data_that_changed_since_the_dump_are_noticed() -> None:
    one = recordings()["trixie", "records-257"]
    source = MemorySource(one.store)
    store = read_store(source)
    text = MemorySource("".join(write_text(source, store, sums=True)).encode())
    compare_sums(text, 4096, source)
    changed = bytearray(one.store)
    changed[4096 * int(store.new[100]) + 77] ^= 1
    with pytest.raises(ProblemsFoundError, match="not as in the dump"):
        compare_sums(text, 4096, MemorySource(bytes(changed)))
    without = MemorySource("".join(write_text(source, store)).encode())
    compare_sums(without, 4096, MemorySource(bytes(changed)))


def test_the_plan_of_a_new_store_says_what_it_will_lack(tmp_path: Path) -> None:
    recording, path, output = packed(filled([9])), tmp_path / "pack", tmp_path / "new"
    plan = plan_new(recording, path, NewStore(output))
    assert plan.steps == (RestoreNew(path, output, SIZE, None, replaces=False),)
    assert plan.destroys == ()
    assert any("9 changed chunks" in note for note in plan.notes)
    output.write_bytes(b"mine")
    with pytest.raises(RefusedError, match="exists"):
        plan_new(recording, path, NewStore(output))
    (lost,) = plan_new(recording, path, NewStore(output, force=True)).destroys
    assert str(output) in lost


def test_the_plan_of_putting_back_compares_what_there_is(tmp_path: Path) -> None:
    path, store = tmp_path / "pack", tmp_path / "store"
    store.write_bytes(filled([9]))
    with open_overlay(str(store)) as overlay:
        subject = Subject(str(store), None, overlay.place)
        plan = plan_into(packed(filled([4, 7])), path, overlay, subject)
        assert plan.steps == (RestoreInto(path, subject),)
        assert "9 changed chunks" in plan.destroys[0]
        assert "11 changed chunks" in plan.destroys[0]
        without_header = packed(filled([4]), Span.single(1024, 1024))
        with pytest.raises(UnsupportedError, match="header"):
            plan_into(without_header, path, overlay, subject)
        longer = packed(filled([4]) + bytes(1024))
        with pytest.raises(RefusedError, match=str(SIZE + 1024)):
            plan_into(longer, path, overlay, subject)
