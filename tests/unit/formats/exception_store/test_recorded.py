# SPDX-License-Identifier: Apache-2.0
"""Stores that kernels 6.1 and 6.12 made or were given: what they said is what we say."""

import hashlib

import pytest

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.exception_store import (
    BEFORE_3_12,
    BEFORE_4_3,
    LINUX_6_1,
    LINUX_6_12,
    AmbiguousStoreError,
    MergedView,
    StoreError,
    count_exceptions,
    read_header,
    read_store,
    status_line,
    store_status,
)
from tests.data.snapshot_cases import CASES, Case, Recorded, recorded, recordings
from tests.unit.formats.exception_store.kernel_model import KernelModel

CASE = {case.name: case for case in CASES}
KERNEL = {"bookworm": LINUX_6_1, "trixie": LINUX_6_12}
# What dmsetup calls the errors that the kernel gives.
WORDS = {
    "EINVAL": "Invalid argument",
    "ENXIO": "No such device or address",
    "EIO": "Input/output error",
}


def origin_of(one: Recorded) -> bytes:
    """The origin under a recorded store: recorded too where it is not a pattern."""
    if "origin" in one.files:
        return one.files["origin"]
    return CASE[one.name].origin() if one.name in CASE else CASES[0].origin()


def view_of(one: Recorded) -> MergedView:
    source = MemorySource(one.store)
    kernel = KERNEL[one.suite]
    origin = MemorySource(origin_of(one))
    return MergedView(origin, read_store(source), source, duplicates=kernel.duplicates)


def whole_view(one: Recorded) -> bytes:
    view = view_of(one)
    return view.read_at(0, view.size)


@pytest.mark.parametrize("one", recorded(lambda one: "reloaded" in one.facts))
def test_status_line_is_the_kernels(one: Recorded) -> None:
    source = MemorySource(one.store)
    assert status_line(source, kernel=KERNEL[one.suite]) == one.facts["reloaded"]


@pytest.mark.parametrize("one", recorded(lambda one: "reloaded" in one.facts))
def test_counting_the_list_is_as_reading_it(one: Recorded) -> None:
    source = MemorySource(one.store)
    assert count_exceptions(source) == read_store(source).count


# The kernel takes the high bits of a data chunk for a length; nobody should follow it there.
MISREAD = "hand-new-beyond-56-bits"


@pytest.mark.parametrize("one", recorded(lambda one: "view" in one.facts and one.name != MISREAD))
def test_view_is_the_kernels(one: Recorded) -> None:
    assert hashlib.sha256(whole_view(one)).hexdigest() == one.facts["view"]


def _unreadable(one: Recorded) -> bool:
    if one.name == MISREAD:
        return True
    return "view" not in one.facts and one.facts.get("reloaded", "Invalid") != "Invalid"


@pytest.mark.parametrize("one", recorded(_unreadable))
def test_what_the_kernel_cannot_read_whole_we_cannot(one: Recorded) -> None:
    with pytest.raises(FormatError):
        whole_view(one)


@pytest.mark.parametrize("one", recorded(lambda one: "error" in one.facts))
def test_what_the_kernel_refuses_we_refuse(one: Recorded) -> None:
    with pytest.raises(FormatError) as refused:
        status_line(MemorySource(one.store))
    error = refused.value.kernel_error if isinstance(refused.value, StoreError) else "EIO"
    assert WORDS[error] in one.facts["error"]


def _modelled(one: Recorded) -> bool:
    return one.name in CASE and "loaded" in one.facts


@pytest.mark.parametrize("one", recorded(_modelled))
def test_model_is_the_kernel_byte_for_byte(one: Recorded) -> None:
    model = replayed(CASE[one.name])
    assert model.status() == one.facts["live"]
    assert hashlib.sha256(model.device).digest() == hashlib.sha256(one.store).digest()


def replayed(case: Case) -> KernelModel:
    """The model after the writes of a case."""
    device = bytearray(case.initial or case.sectors * 512)
    model = KernelModel(device, case.origin(), case.chunk, case.option)
    for put in case.puts:
        all(model.write(sector, data) for sector, data in put.writes())
    return model


MERGE = ("before", "half", "full")
HEALTHY = ("empty", "records-", "chunk-", "full-", "parallel", "ext4-", "merge-before")


@pytest.mark.parametrize("one", recorded(lambda one: one.name.startswith(HEALTHY)))
def test_kernel_made_stores_are_canonical_and_clean(one: Recorded) -> None:
    store = read_store(MemorySource(one.store))
    assert store.is_canonical
    assert store.terminated or not store.is_valid
    assert store.tail.first is None


@pytest.mark.parametrize("one", recorded(lambda one: one.name.startswith("full-")))
def test_forecast_of_filling_up(one: Recorded) -> None:
    """Fact 5: what the kernel did when it was full, foretold from the empty store."""
    case = CASE[one.name]
    fresh = KernelModel(bytearray(case.sectors * 512), case.origin(), case.chunk)
    store = read_store(MemorySource(bytes(fresh.device)))
    dies = case.option == "P" or store.dies_when_full(KERNEL[one.suite])
    assert one.facts["live"] == ("Invalid" if dies else "Overflow")
    if case.option == "PO":
        assert dies == store.geometry.is_boundary(store.chunks)


@pytest.mark.parametrize("one", recorded(lambda one: one.name.startswith("hand-duplicates")))
def test_duplicates_need_a_choice(one: Recorded) -> None:
    source = MemorySource(one.store)
    with pytest.raises(AmbiguousStoreError, match=r"chunk 1[0-2] of the origin"):
        MergedView(MemorySource(origin_of(one)), read_store(source), source)


@pytest.mark.parametrize("one", recorded(lambda one: one.name.startswith("parallel")))
def test_acknowledged_writers_lose_nothing_but_an_invalidated_burst(one: Recorded) -> None:
    store = read_store(MemorySource(one.store))
    if one.facts["live"] == "Overflow":
        assert store.free_chunks() == 0
    assert store.is_valid == (one.facts["live"] != "Invalid")


@pytest.mark.parametrize("suite", KERNEL)
def test_half_merged_pair_still_shows_the_view_of_before(suite: str) -> None:
    before, half, full = (recordings()[suite, f"merge-{name}"] for name in MERGE)
    assert half.facts["view"] == before.facts["view"] == full.facts["view"]
    counts = [read_store(MemorySource(one.store)).count for one in (before, half, full)]
    assert counts[0] > counts[1] > counts[2] == 0
    assert full.files["origin"] == whole_view(before)


@pytest.mark.parametrize("suite", KERNEL)
def test_model_merges_through_the_recorded_states(suite: str) -> None:
    """The kernel's half and full merges are states that the model passes."""
    before, half, full = (recordings()[suite, f"merge-{name}"] for name in MERGE)
    model = KernelModel(bytearray(before.store), bytearray(origin_of(before)))
    seen = False
    while model.merge_step():
        if model.device == half.store:
            seen = True
            assert bytes(model.origin[: len(half.files["origin"])]) == half.files["origin"]
    assert seen
    assert model.device == full.store
    assert model.status() == "16/5600 16"


def test_blank_needs_no_magic_but_room() -> None:
    assert read_header(MemorySource(bytes(16))).is_blank
    assert status_line(MemorySource(bytes(8192))) == "16/16 16"
    with pytest.raises(FormatError):
        status_line(MemorySource(bytes(8191)))


def test_kernels_before_3_12_stay_on_a_metadata_chunk() -> None:
    """Section 1.10: without the fix the next data would overwrite area 1, in chunk 34."""
    store = read_store(MemorySource(recordings()["trixie", "hand-next-free-on-area"].store))
    assert store_status(store) == "35/100 2"
    assert store_status(store, BEFORE_3_12) == "34/100 2"


def test_kernels_before_4_3_kill_any_full_store() -> None:
    store = read_store(MemorySource(recordings()["trixie", "records-1"].store))
    assert not store.dies_when_full(LINUX_6_12)
    assert store.dies_when_full(BEFORE_4_3)
