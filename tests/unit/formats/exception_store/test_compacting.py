# SPDX-License-Identifier: Apache-2.0
"""Data moved together in a store: the view never changes, whatever a power cut leaves."""

import random

import numpy as np
import pytest

from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import MergedView, StoreFullError, compacting, read_store
from liveos.formats.exception_store.compacting import is_dense, relocate, renew
from liveos.formats.exception_store.edit import drop
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.formats.exception_store.power_cuts import Device, luck

ORIGIN = random.Random(0).randbytes(203 * 1024)


def gappy(dice: random.Random, sectors: int) -> Device:
    """A store of which some records were dropped."""
    model = KernelModel(bytearray(800 * 512), ORIGIN, sectors)
    for chunk in dice.sample(range(200 // sectors), 150 // sectors):
        model.write(chunk * sectors, dice.randbytes(512 * sectors))
    device = Device(model.device)
    store = read_store(device)
    count = dice.randrange(1, store.count)
    drop(device, store, np.array(sorted(dice.sample(range(store.count), count))))
    return Device(device.data)


def shown(device: Device) -> bytes:
    view = MergedView(MemorySource(ORIGIN), read_store(device), device)
    return view.read_at(0, view.size)


@pytest.mark.parametrize("sectors", [1, 2, 4])
@pytest.mark.parametrize("seed", range(6))
def test_relocate(seed: int, sectors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacting, "_BATCH", 16 << 10)
    dice = random.Random(seed)
    device = gappy(dice, sectors)
    before, view = read_store(device), shown(device)
    after = relocate(device, before)
    found = read_store(device)
    assert found.old.tolist() == after.old.tolist() == before.old.tolist()
    assert found.new.tolist() == after.new.tolist()
    canonical = before.geometry.canonical_chunks(before.count)
    assert sorted(found.new.tolist()) == canonical.tolist()
    assert is_dense(found)
    for position in range(len(device.tape.events) + 1):
        left = Device(device.cut(position, dice, luck(dice)))
        assert bool(shown(left) == view)
        relocate(left, read_store(left))
        assert bool(shown(left) == view)
        assert is_dense(read_store(left))


@pytest.mark.parametrize("seed", range(6))
def test_renew(seed: int) -> None:
    """Old or new contents after any cut, never a mixture."""
    dice = random.Random(seed)
    device = gappy(dice, 4)
    store, old = read_store(device), shown(device)
    chunk = int(dice.choice(store.old.tolist()))
    data = dice.randbytes(2048)
    after = renew(device, store, chunk, data)
    new = old[: chunk * 2048] + data + old[(chunk + 1) * 2048 :]
    assert bool(shown(device) == new)
    assert read_store(device).new.tolist() == after.new.tolist()
    states = set()
    for position in range(len(device.tape.events) + 1):
        states.add(shown(Device(device.cut(position, dice, luck(dice)))))
    assert states == {old, new}


def test_no_room_to_renew() -> None:
    model = KernelModel(bytearray(5 * 1024), ORIGIN, 2)
    for chunk in range(3):
        model.write(2 * chunk, b"x" * 1024)
    device = Device(model.device)
    with pytest.raises(StoreFullError):
        renew(device, read_store(device), 1, b"y" * 1024)
    assert bool(device.data == model.device)


def test_an_empty_list_is_dense() -> None:
    device = Device(KernelModel(bytearray(40 * 1024), ORIGIN, 2).device)
    store = read_store(device)
    assert is_dense(store)
    assert relocate(device, store).count == 0
    assert device.tape.events == []
