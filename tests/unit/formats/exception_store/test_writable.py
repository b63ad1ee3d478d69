# SPDX-License-Identifier: Apache-2.0
"""Writing to a view: the same bytes as the model of the kernel, and nothing lost to power cuts."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.formats.binary import MemorySource, TruncatedError
from liveos.formats.exception_store import (
    Geometry,
    MergedView,
    StoreFullError,
    create,
    read_store,
    writable,
)
from liveos.formats.exception_store.writable import WritableView
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.formats.exception_store.power_cuts import Device, luck

ORIGIN = random.Random(0).randbytes(203 * 512)
WRITES = st.lists(
    st.tuples(st.integers(0, 194), st.integers(1, 8), st.integers(1, 255), st.booleans()),
    max_size=60,
)


def device_for(sectors: int, store_sectors: int = 800, fill: int = 0) -> Device:
    device = Device(bytes([fill]) * (512 * store_sectors))
    create(device, Geometry(sectors))
    return Device(device.data)


@settings(max_examples=150)
@given(st.sampled_from([1, 2, 4, 8]), st.sampled_from([0, 0xFF]), WRITES)
def test_byte_for_byte_as_the_kernel(
    sectors: int, fill: int, writes: list[tuple[int, int, int, bool]]
) -> None:
    device = device_for(sectors, fill=fill)
    kernel = KernelModel(bytearray(device.data), ORIGIN)
    view = WritableView(MemorySource(ORIGIN), device, read_store(device))
    for sector, count, value, flushed in writes:
        data = bytes([value]) * (512 * count)
        assert kernel.write(sector, data)
        view.write_at(sector * 512, data)
        assert view.read_at(0, view.size) == kernel.view()
        if flushed:
            view.flush()
            assert device.data == kernel.device
    view.flush()
    assert device.data == kernel.device
    assert view.store.old.tolist() == list(kernel.map)


@settings(max_examples=60)
@given(st.integers(3, 200), st.sampled_from([1, 2]), st.randoms())
def test_full(chunks: int, sectors: int, dice: random.Random) -> None:
    """It stops where the kernel would, or one before where that would kill the store."""
    device = device_for(sectors, chunks * sectors)
    view = WritableView(MemorySource(ORIGIN), device, read_store(device))
    kernel = KernelModel(bytearray(device.data), ORIGIN)
    size = 512 * sectors
    order = dice.sample(range(len(ORIGIN) // size), len(ORIGIN) // size)
    written = 0
    for chunk in order:
        try:
            view.write_at(chunk * size, b"n" * size)
        except StoreFullError:
            break
        kernel.write(chunk * sectors, b"n" * size)
        written += 1
    else:
        return
    view.flush()
    assert kernel.valid
    assert device.data == kernel.device
    assert view.room == 0
    assert not kernel.write(order[written] * sectors, b"n" * size) or not kernel.valid


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writable, "_MOST_WAITING", 4096)
    device = device_for(2)
    view = WritableView(MemorySource(ORIGIN), device, read_store(device))
    for chunk in range(50):
        view.write_at(chunk * 1024, b"m" * 1024)
    assert read_store(device).count == 48
    view.flush()
    assert read_store(device).count == 50


def test_outside() -> None:
    device = device_for(2)
    view = WritableView(MemorySource(ORIGIN), device, read_store(device))
    for offset, length in [(-1, 1), (len(ORIGIN), 1), (len(ORIGIN) - 1, 2)]:
        with pytest.raises(TruncatedError):
            view.write_at(offset, b"x" * length)


@pytest.mark.parametrize("seed", range(8))
def test_power_cuts(seed: int) -> None:
    """What a flush has made durable stays; the rest is old or new, and no list has a tail."""
    dice = random.Random(seed)
    sectors = dice.choice([1, 2, 4])
    device = device_for(sectors, fill=0xEE)
    view = WritableView(MemorySource(ORIGIN), device, read_store(device))
    flushed = [(0, ORIGIN)]
    for _ in range(12):
        for _ in range(dice.randrange(1, 30)):
            view.write_at(512 * dice.randrange(200), dice.randbytes(1) * 1024)
        view.flush()
        flushed.append((len(device.tape.events), view.read_at(0, view.size)))
    for position in range(len(device.tape.events) + 1):
        left = Device(device.cut(position, dice, luck(dice)))
        store = read_store(left)
        assert store.terminated
        assert store.tail.first is None
        shown = MergedView(MemorySource(ORIGIN), store, left).read_at(0, view.size)
        before = [content for at, content in flushed if at <= position][-1]
        after = next(content for at, content in flushed if at >= position)
        for at in range(0, len(shown), 512):
            sector = shown[at : at + 512]
            steady = before[at : at + 512] == after[at : at + 512]
            assert not steady or sector == before[at : at + 512]
