# SPDX-License-Identifier: Apache-2.0
"""Stores that we write, under real kernels: loaded, read, written to, merged.

`test_recorded` in the unit tests is the other way round: stores that kernels wrote.
"""

import hashlib
import random
from dataclasses import dataclass

import numpy as np
import pytest

from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import (
    Geometry,
    MergedView,
    StoreWriter,
    create,
    read_store,
    set_valid,
    status_line,
    write_exceptions,
)
from tests.data.snapshot_cases import SECTOR, Put, origin_pattern, pattern, written_pattern
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.formats.exception_store.test_properties import MemorySink
from tests.vm.errands import once
from tests.vm.snapshot_guest import SUITES, GuestResult, run_guest

pytestmark = pytest.mark.vm

ORIGIN = origin_pattern()[: 8003 * SECTOR]  # a partial last chunk of 3 sectors
PUTS = {8: (Put(8, 5, 9, 3), Put(1, 7777, 0, 2)), 2: (Put(2, 11, 9, 3), Put(1, 8002, 0, 1))}


@dataclass(frozen=True, slots=True)
class Ours:
    """A store of ours; the kernel writes ``PUTS`` to it unless it is full."""

    name: str
    store: bytes
    is_full: bool = False

    @property
    def chunk(self) -> int:
        return read_store(MemorySource(self.store)).geometry.chunk_sectors


def streamed(sectors: int, spare: int) -> bytes:
    """Sorted runs through `StoreWriter`, over garbage that must not shine through."""
    geometry = Geometry(sectors)
    chance = random.Random(sectors)
    runs = [(old, chance.choice((1, 1, 3, 9))) for old in range(0, 900, 11)]
    count = sum(length for _, length in runs)
    sink = MemorySink((geometry.chunks_for(count) + spare) * geometry.chunk_size, 0xFF)
    writer = StoreWriter(sink, geometry)
    for old, length in runs:
        writer.append(old, pattern(b"z%03d" % old, length * sectors)[: length * sectors * SECTOR])
    writer.finish()
    return bytes(sink.data)


def shuffled() -> bytes:
    """A list whose data lie anywhere, as after compacting in place, with its last chunk low."""
    geometry = Geometry(8)
    data = pattern(b"y", 700 * 8)
    sink = MemorySink(len(data))
    sink.write_at(0, data)
    chance = random.Random(7)
    places = [chunk for chunk in range(2, 600) if not geometry.is_metadata(chunk)]
    new = np.array(chance.sample(places, 300), np.uint64)
    old = np.array(chance.sample(range(1000), 300), np.uint64)
    write_exceptions(sink, geometry, old, new)
    set_valid(sink, geometry)
    return bytes(sink.data)


def exactly_full() -> bytes:
    """256 records in the least store that loads."""
    geometry = Geometry(8)
    sink = MemorySink(geometry.chunks_for(256) * geometry.chunk_size)
    writer = StoreWriter(sink, geometry)
    writer.append(20, pattern(b"x", 256 * 8))
    writer.finish()
    return bytes(sink.data)


def empty() -> bytes:
    sink = MemorySink(400 * SECTOR, 0xFF)
    create(sink, Geometry(2))
    return bytes(sink.data)


STORES = (
    Ours("streamed-8", streamed(8, 40)),
    Ours("streamed-2", streamed(2, 9)),
    Ours("shuffled", shuffled()),
    Ours("exactly-full", exactly_full(), is_full=True),
    Ours("empty", empty()),
)


def script(ours: Ours) -> str:
    puts = "" if ours.is_full else "\n".join(
        f"put /dev/mapper/s {put.block * SECTOR} {put.seek} {put.skip} {put.count}"
        for put in PUTS[ours.chunk]
    )  # fmt: skip
    done = f"{2 * ours.chunk}/{len(ours.store) // SECTOR} {2 * ours.chunk}"
    return f"""
        d=out/{ours.name}; mkdir $d; cp in/{ours.name} c; cp in/origin o
        snap s o c PO 8; status s >$d/loaded; hash /dev/mapper/s >$d/view
        {puts}
        status s >$d/written; unload s; detach c; cp c $d/store
        snap m o c P 8 snapshot-merge
        until [ "$(status m)" = "{done}" ]; do sleep 0.1; done
        unload m; detach o; detach c; cp c $d/merged; hash o >$d/origin
    """


@pytest.fixture(scope="module", params=SUITES)
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GuestResult:
    inputs = {ours.name: ours.store for ours in STORES}
    inputs |= {"origin": ORIGIN, "writes": written_pattern()}
    lines = "\n".join(map(script, STORES))
    return once(
        tmp_path_factory, f"stores-{request.param}", lambda: run_guest(request.param, lines, inputs)
    )


def model_of(ours: Ours) -> KernelModel:
    """The model after the same writes, ready to merge."""
    model = KernelModel(bytearray(ours.store), bytearray(ORIGIN))
    for put in () if ours.is_full else PUTS[ours.chunk]:
        assert all(model.write(sector, data) for sector, data in put.writes())
    return model


@pytest.mark.parametrize("ours", STORES, ids=lambda ours: ours.name)
def test_kernel_reads_what_we_wrote(kernel: GuestResult, ours: Ours) -> None:
    source = MemorySource(ours.store)
    view = MergedView(MemorySource(ORIGIN), read_store(source), source)
    assert kernel.text(f"{ours.name}/loaded") == status_line(source)
    digest = hashlib.sha256(view.read_at(0, view.size)).hexdigest()
    assert kernel.text(f"{ours.name}/view") == digest


@pytest.mark.parametrize("ours", STORES, ids=lambda ours: ours.name)
def test_kernel_goes_on_as_foretold(kernel: GuestResult, ours: Ours) -> None:
    model = model_of(ours)
    written = kernel.files[f"{ours.name}/store"]
    assert kernel.text(f"{ours.name}/written") == model.status()
    assert written == model.device
    assert status_line(MemorySource(written)) == model.status()


@pytest.mark.parametrize("ours", STORES, ids=lambda ours: ours.name)
def test_kernel_merges_to_our_view(kernel: GuestResult, ours: Ours) -> None:
    source = MemorySource(kernel.files[f"{ours.name}/store"])
    view = MergedView(MemorySource(ORIGIN), read_store(source), source)
    digest = hashlib.sha256(view.read_at(0, view.size)).hexdigest()
    assert kernel.text(f"{ours.name}/origin") == digest
    model = model_of(ours)
    while model.merge_step():
        pass
    assert kernel.files[f"{ours.name}/merged"] == model.device
