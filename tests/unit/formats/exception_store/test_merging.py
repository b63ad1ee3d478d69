# SPDX-License-Identifier: Apache-2.0
"""Merging compared with the model of the kernel, also after power cuts at every write."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import MergedView, merging, read_store, status_line
from liveos.formats.exception_store.merging import (
    composed,
    data_runs,
    merge_into_origin,
)
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.formats.exception_store.power_cuts import Device, Tape, luck

ORIGIN_SECTORS = 1203  # the last chunk is a partial one


def used_store(dice: random.Random, sectors: int, writes: int) -> KernelModel:
    """A store that a kernel has written to, over an origin of random bytes."""
    origin = dice.randbytes(ORIGIN_SECTORS * 512)
    model = KernelModel(bytearray(1400 * 512), origin, sectors)
    for _ in range(writes):
        start = dice.randrange(ORIGIN_SECTORS)
        length = min(dice.choice([1, 2, 5, 30]), ORIGIN_SECTORS - start)
        model.write(start, dice.randbytes(512 * length))
    assert not model.overflowed
    return model


def merged_by_kernel(model: KernelModel) -> KernelModel:
    kernel = KernelModel(bytearray(model.device), bytearray(model.origin))
    while kernel.merge_step():
        pass
    return kernel


@pytest.mark.parametrize("sectors", [1, 2, 8])
@pytest.mark.parametrize("seed", range(4))
def test_as_the_kernel_merges(sectors: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "_BATCH", 40 << 10)
    dice = random.Random(seed)
    model = used_store(dice, sectors, writes=80)
    origin, device = Device(model.origin), Device(model.device)
    reported: list[int] = []
    store = read_store(device)
    merge_into_origin(origin, device, store, reported.append)
    kernel = merged_by_kernel(model)
    assert origin.data == kernel.origin == model.view()
    assert device.data == kernel.device
    assert status_line(device) == kernel.status()
    assert reported == sorted(reported)
    assert reported[-1] <= store.count * store.geometry.chunk_size


@pytest.mark.parametrize("seed", range(6))
def test_power_cuts(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is left shows the same view, has no tail, and is merged by the next run."""
    monkeypatch.setattr(merging, "_BATCH", 60 << 10)
    dice = random.Random(seed)
    model = used_store(dice, dice.choice([1, 2, 4]), writes=60)
    view = model.view()
    tape = Tape()
    origin, device = Device(model.origin, tape), Device(model.device, tape)
    merge_into_origin(origin, device, read_store(device))
    for position in range(len(tape.events) + 1):
        lucky = luck(dice)
        left_origin = Device(origin.cut(position, dice, lucky))
        left = Device(device.cut(position, dice, lucky))
        store = read_store(left)
        assert store.terminated
        assert store.tail.records == 0
        assert MergedView(left_origin, store, left).read_at(0, len(view)) == view
        merge_into_origin(left_origin, left, store)
        assert left_origin.data == view
        assert read_store(left).count == 0


@pytest.mark.parametrize("seed", range(3))
def test_composed_in_one_read_of_the_origin(seed: int) -> None:
    dice = random.Random(seed)
    model = used_store(dice, 2, writes=60)
    origin, device = MemorySource(bytes(model.origin)), MemorySource(bytes(model.device))
    view = MergedView(origin, read_store(device), device)
    for _ in range(50):
        start = dice.randrange(view.size)
        length = dice.randrange(view.size - start)
        shown = composed(view, origin, device, start, length)
        assert shown == model.view()[start : start + length]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9000)), max_size=8))
def test_data_runs(parts: list[tuple[bool, int]]) -> None:
    data = b"".join((b"\1" if full else b"\0") * length for full, length in parts)
    again = bytearray(len(data))
    for start, stop in data_runs(data):
        assert data[start:stop].strip(b"\0")
        again[start:stop] = data[start:stop]
    assert again == data
    # No block of zeros is part of a run.
    holes = sum(not any(data[at : at + 4096]) for at in range(0, len(data), 4096))
    written = sum(-(-(stop - start) // 4096) for start, stop in data_runs(data))
    assert holes + written == -(-len(data) // 4096)
