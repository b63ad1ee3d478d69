# SPDX-License-Identifier: Apache-2.0
"""Resizing: what is planned comes true on the model of the kernel, and nothing gets lost."""

import random
import struct

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from liveos.errors import LiveosError, NoSpaceError, RefusedError, UnsupportedError, UsageError
from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import Geometry, read_store, status_line
from liveos.host.folders.folder import FolderFile
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.check import StoreState, check_store
from liveos.medium.overlay.forecast import Ending, forecast
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.origin import Origin
from liveos.operations.overlay.perform.resize import resize
from liveos.operations.overlay.plans.resize import Wish, parse_wish, plan
from liveos.operations.plan import Plan
from liveos.operations.steps.overlay import ResizeStore, Subject
from liveos.sizes import Size
from tests.data.snapshot_cases import Recorded, recorded, recordings
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.formats.exception_store.power_cuts import Device
from tests.unit.operations.overlay.memory_folder import MemoryFolder, after_a_cut

SECTOR = 512
MIB = 1 << 20


def folder_of(store: bytes, **bounds: int) -> MemoryFolder:
    return MemoryFolder(Device(store), **bounds)  # type: ignore[arg-type]


def plan_of(folder: MemoryFolder, wish: str | int, origin_size: int | None = None) -> Plan:
    place = FolderFile(folder, "overlay")  # type: ignore[arg-type]
    root = None if origin_size is None else Origin("root", MemorySource(bytes(origin_size)), None)
    overlay = OpenOverlay(place, PersistenceKind.SNAPSHOT, folder.device, None, root)
    parsed = parse_wish(wish) if isinstance(wish, str) else Wish(0, Size(bytes=wish))
    return plan(overlay, Subject("overlay", None, place), parsed)


def carried_out(folder: MemoryFolder, planned: Plan) -> bytes:
    for step in planned.steps:
        assert isinstance(step, ResizeStore)
        resize(step.subject.place, step.before, step.size)
    return bytes(folder.device.data)


def promised(planned: Plan) -> str:
    return planned.notes[-1].rpartition("say ")[2]


def used(sectors: int, store_chunks: int, changes: int, origin_chunks: int) -> KernelModel:
    """A store after some changes, as the kernel leaves it."""
    size = sectors * SECTOR
    model = KernelModel(bytearray(store_chunks * size), bytes(origin_chunks * size), sectors)
    for chunk in range(changes):
        model.write(chunk * 3 % origin_chunks * sectors, bytes([chunk % 250 + 1]) * size)
    return model


STORES = {
    "sectors": st.sampled_from([1, 2]),
    "store_chunks": st.integers(3, 210),
    "changes": st.integers(0, 220),
    "origin_chunks": st.sampled_from([50, 100, 331]),
}


@settings(max_examples=200, deadline=None)
@given(**STORES, wanted=st.integers(3, 420), with_origin=st.booleans())
def test_what_is_planned_comes_true(
    sectors: int,
    store_chunks: int,
    changes: int,
    origin_chunks: int,
    wanted: int,
    with_origin: bool,
) -> None:
    """The kernel loads it, with the status that was promised, and fills it as foretold."""
    model = used(sectors, store_chunks, changes, origin_chunks)
    assume(model.valid)
    folder = folder_of(bytes(model.device))
    geometry = Geometry(sectors)
    origin_size = len(model.origin)
    try:
        planned = plan_of(
            folder, wanted * geometry.chunk_size, origin_size if with_origin else None
        )
    except RefusedError:
        assert wanted < store_chunks
        return
    data = carried_out(folder, planned)
    kernel = KernelModel(bytearray(data), model.origin, sectors)
    assert kernel.valid
    assert (kernel.map, kernel.view()) == (model.map, model.view())
    if not planned.steps:
        assert len(data) == store_chunks * geometry.chunk_size
        return
    assert status_line(MemorySource(data)) == kernel.status() == promised(planned)
    assert not geometry.is_boundary(geometry.chunks_in(len(data)))
    told = forecast(read_store(MemorySource(data)), origin_size)
    assert told.ending is not Ending.INVALID
    fresh = [chunk for chunk in range(origin_chunks) if chunk not in kernel.map]
    kept = [kernel.write(chunk * sectors, b"n" * geometry.chunk_size) for chunk in fresh]
    assert sum(kept) == told.new_chunks
    assert kernel.overflowed == (told.ending is Ending.OVERFLOW)
    assert kernel.valid


@settings(max_examples=100, deadline=None)
@given(**STORES, more=st.integers(1, 300))
def test_larger_and_back_again_is_as_before(
    sectors: int, store_chunks: int, changes: int, origin_chunks: int, more: int
) -> None:
    model = used(sectors, store_chunks, changes, origin_chunks)
    geometry = Geometry(sectors)
    assume(model.valid and not geometry.is_boundary(store_chunks))
    before = bytes(model.device)
    folder = folder_of(before)
    carried_out(folder, plan_of(folder, f"+{more * geometry.chunk_size}"))
    try:
        planned = plan_of(folder, len(before))
    except RefusedError:
        assert model.next_free * 11 // 10 + 3 >= store_chunks  # a tenth of it must stay free
        return
    assert carried_out(folder, planned) == before


@settings(max_examples=150, deadline=None)
@given(**STORES, wanted=st.integers(3, 420), seed=st.integers())
def test_a_power_cut_leaves_a_store_with_everything_in_it(
    sectors: int, store_chunks: int, changes: int, origin_chunks: int, wanted: int, seed: int
) -> None:
    model = used(sectors, store_chunks, changes, origin_chunks)
    assume(model.valid)
    folder = folder_of(bytes(model.device))
    try:
        planned = plan_of(folder, wanted * sectors * SECTOR)
    except RefusedError:
        return
    carried_out(folder, planned)
    left = after_a_cut(folder, random.Random(seed))
    kernel = KernelModel(bytearray(left), model.origin, sectors)
    assert (kernel.map, kernel.view()) == (model.map, model.view())


def cut_off(garbage: int, surplus: int) -> bytes:
    """A store that ends in the area where its list should end (code A1), with garbage there."""
    model = used(2, 100, 64, 331)
    area = 66  # 64 slots in a chunk of two sectors: areas are chunks 1, 66 …
    return bytes(model.device[: area * 1024]) + bytes([garbage]) * surplus


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 255), st.integers(0, 1023), st.integers(1, 100), st.integers())
def test_a_list_that_lost_its_end_gets_one(
    garbage: int, surplus: int, more: int, seed: int
) -> None:
    """Until the file is long enough the kernel refuses it, and then it has every record."""
    folder = folder_of(cut_off(garbage, surplus))
    store = read_store(folder.device)
    assert not store.terminated
    data = carried_out(folder, plan_of(folder, f"+{more * SECTOR}"))
    whole = read_store(MemorySource(data))
    assert whole.terminated
    assert whole.old.tolist() == store.old.tolist()
    left = read_store(MemorySource(after_a_cut(folder, random.Random(seed))))
    assert not left.terminated or left.old.tolist() == store.old.tolist()


def test_an_invalid_store_can_be_enlarged_but_not_shrunk() -> None:
    store = recordings()["trixie", "full-8x258-PO"].store
    folder = folder_of(store)
    data = carried_out(folder, plan_of(folder, "+64K"))
    assert data == store + bytes(64 << 10)
    with pytest.raises(RefusedError, match="invalid"):
        plan_of(folder, "-16K")


@pytest.mark.parametrize("one", recorded(lambda one: "store" in one.files))
def test_recorded_stores_keep_what_they_have(one: Recorded) -> None:
    """Those of kernels are enlarged, those with faults are refused, none is made worse."""
    folder = folder_of(one.store)
    check = check_store(folder.device)
    try:
        data = carried_out(folder, plan_of(folder, "+1M"))
    except UnsupportedError:
        assert check.state in {StoreState.DAMAGED, StoreState.INVALID}
        assert not one.name.startswith(("full-", "records-", "chunk-", "merge-", "ext4-"))
        return
    assert data[: len(one.store)] == one.store
    assert check.store is None or (
        read_store(MemorySource(data)).new.tolist() == check.store.new.tolist()
    )


def test_never_onto_a_boundary_and_it_is_said() -> None:
    planned = plan_of(folder_of(bytes(100 * MIB)), "256M")
    (step,) = planned.steps
    assert isinstance(step, ResizeStore)
    assert step.size == 256 * MIB + 4096
    assert "4 KiB more than asked for" in planned.notes[0]


def test_never_beyond_its_root() -> None:
    """Section 3.1, S3: N chunks of the origin need 2 + N + N//E chunks."""
    origin = 10 * MIB
    planned = plan_of(folder_of(bytes(MIB)), "60G", origin)
    (step,) = planned.steps
    assert isinstance(step, ResizeStore)
    assert step.size == (2 + 2560 + 2560 // 256) * 4096
    assert "more would never be used" in planned.notes[0]
    (largest,) = plan_of(folder_of(bytes(MIB)), "max", origin).steps
    assert str(largest) == str(step)
    assert plan_of(folder_of(bytes(12 * MIB)), "13M", origin).steps == ()
    assert plan_of(folder_of(bytes(12 * MIB)), "max", origin).steps == ()


def test_the_largest_file_of_fat() -> None:
    fat = (4 << 30) - 1
    folder = folder_of(bytes(MIB), most=fat)
    with pytest.raises(NoSpaceError, match="4 GiB less a byte"):
        plan_of(folder, "4G")
    (step,) = plan_of(folder, "max").steps
    assert isinstance(step, ResizeStore)
    assert fat - 2 * 4096 < step.size <= fat
    assert not Geometry(8).is_boundary(step.size // 4096)


def test_room_is_looked_for_first() -> None:
    with pytest.raises(NoSpaceError):
        plan_of(folder_of(bytes(MIB), room=MIB), "+2M")


def test_a_little_room_is_kept() -> None:
    model = used(1, 200, 150, 331)
    folder = folder_of(bytes(model.device))
    with pytest.raises(RefusedError, match="least size"):
        plan_of(folder, read_store(folder.device).next_free() * SECTOR)


def test_what_has_changed_since_the_plan_is_left_alone() -> None:
    model = used(1, 200, 10, 331)
    folder = folder_of(bytes(model.device))
    planned = plan_of(folder, 60 * SECTOR)
    for chunk in range(100):
        model.write(chunk, bytes(SECTOR))
    folder.device.data[:] = model.device
    with pytest.raises(RefusedError, match="changed since"):
        carried_out(folder, planned)
    assert folder.device.data == model.device


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("4G", Wish(0, Size(bytes=4 << 30))),
        ("+512M", Wish(1, Size(bytes=512 << 20))),
        ("-1G", Wish(-1, Size(bytes=1 << 30))),
        ("MAX", Wish(0, None)),
    ],
)
def test_wishes(text: str, wish: Wish) -> None:
    assert parse_wish(text) == wish


def test_percentages_are_of_the_present_size() -> None:
    assert parse_wish("+50%").of(200) == 300
    assert parse_wish("-25%").of(200) == 150
    assert parse_wish("50%").of(200) == 100


@pytest.mark.parametrize("text", ["", "rest", "+max", "--5G", "5GB", "-", "+0", "1.5"])
def test_what_is_no_wish(text: str) -> None:
    with pytest.raises(UsageError):
        parse_wish(text)


def test_what_is_no_store() -> None:
    header = struct.pack("<4sIII", b"SnAp", 1, 7, 8)
    for content in (header.ljust(9000, b"\0"), b"\x7fELF" * 3000):
        with pytest.raises(LiveosError, match="damaged"):
            plan_of(folder_of(content), "+1M")
