# SPDX-License-Identifier: Apache-2.0
"""Repairs of stores damaged in any way, and every power cut in the middle of one in place.

What a store says is told by the model of the kernel.
"""

import struct
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.errors import LiveosError, RefusedError, UnsupportedError
from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import Duplicates, read_store
from liveos.medium.overlay.check import check_store
from liveos.operations.overlay.mend import Mended
from liveos.operations.overlay.mending import Mending, decide
from liveos.operations.steps.overlay import Choices
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.formats.exception_store.power_cuts import Device, luck

SECTORS = 2  # so that an area can be torn
CHUNK = SECTORS * 512
SLOTS = CHUNK // 16
CHUNKS = 200
ORIGIN_CHUNKS = 500
ANY = Choices(Duplicates.LAST, force_header=True)
Content = dict[int, bytes]


def healthy(records: int) -> bytearray:
    """A store of the kernel's model: chunk 3k of the origin holds k."""
    model = KernelModel(bytearray(CHUNKS * CHUNK), bytes(CHUNK), SECTORS)
    for number in range(records):
        assert model.write(3 * SECTORS * number, struct.pack("<I", number) * (CHUNK // 4))
    return model.device


def put_slot(store: bytearray, slot: int, old: int, new: int) -> None:
    area, place = divmod(slot, SLOTS)
    offset = (1 + (SLOTS + 1) * area) * CHUNK + 16 * place
    if offset + 16 <= len(store):
        struct.pack_into("<QQ", store, offset, old, new)


NEWS = st.sampled_from([0, 1, 2, 7, 9, 66, 70, 131, 150, 198, 199, 230, 1 << 20, 1 << 57])
DAMAGES = st.one_of(
    st.tuples(st.just("slot"), st.integers(0, 160), st.integers(0, 50).map(lambda k: 3 * k), NEWS),
    st.tuples(st.just("slot"), st.integers(0, 160), st.integers(0, 600), NEWS),
    st.tuples(st.just("copy"), st.integers(0, 160), st.integers(0, 160)),
    st.tuples(st.just("spoil"), st.sets(st.integers(0, 160), min_size=5), NEWS),
    st.tuples(st.just("cut"), st.integers(1024, CHUNKS * CHUNK)),
    st.tuples(st.just("put"), st.just(4), st.sampled_from([b"\0", b"\2"])),
    st.tuples(st.just("put"), st.just(0), st.sampled_from([bytes(16), b"SnAq"])),
    st.tuples(st.just("put"), st.just(12), st.sampled_from([b"\0", b"\3", b"\1"])),
    st.tuples(st.just("put"), st.integers(16, 511), st.just(b"x")),
)
DAMAGED = st.tuples(st.integers(0, 150), st.lists(DAMAGES, max_size=4))


def damaged(case: tuple[int, list[Any]]) -> bytes:
    records, damages = case
    store = healthy(records)
    for kind, *what in damages:
        _DAMAGE[kind](store, *what)
    return bytes(store)


def copy_slot(store: bytearray, source: int, target: int) -> None:
    area, place = divmod(source, SLOTS)
    record = store[(1 + (SLOTS + 1) * area) * CHUNK + 16 * place :][:16]
    if len(record) == 16:
        put_slot(store, target, *struct.unpack("<QQ", record))


def spoil(store: bytearray, slots: set[int], new: int) -> None:
    for slot in slots:
        put_slot(store, slot, 3 * slot, new)


def cut(store: bytearray, size: int) -> None:
    del store[size:]


def put(store: bytearray, offset: int, data: bytes) -> None:
    store[offset : offset + len(data)] = data


_DAMAGE: dict[str, Callable[..., None]] = {
    "slot": put_slot, "copy": copy_slot, "spoil": spoil, "cut": cut, "put": put
}  # fmt: skip


def content(device: bytes) -> Content:
    """What a kernel shows for the chunks that it finds in a store."""
    model = KernelModel(bytearray(device), b"")
    return {old: bytes(device[new * CHUNK :][:CHUNK]) for old, new in model.map.items()}


def expected(device: bytes, mending: Mending) -> Content:
    """What must be there after the repair: all but what the plan says is lost."""
    lost = set(mending.unwanted.tolist())
    store = mending.store
    return {
        int(store.old[slot]): device[int(store.new[slot]) * CHUNK :][:CHUNK]
        for slot in range(store.count)
        if slot not in lost
    }


def mended(
    device: bytes, origin_size: int | None = None, choices: Choices = ANY
) -> tuple[Mending, Mended] | None:
    source = MemorySource(device)
    try:
        mending = decide(source, origin_size, choices)
        repair = Mended(source, mending)
        repair.finish(origin_size)
    except (RefusedError, UnsupportedError):
        return None
    return mending, repair


def whole(repair: Mended) -> bytes:
    return repair.second.read_at(0, repair.size)


@settings(max_examples=150)
@given(DAMAGED, st.sampled_from([None, ORIGIN_CHUNKS * CHUNK, 100 * CHUNK]))
def test_any_damage_is_repaired_or_refused(
    case: tuple[int, list[Any]], origin_size: int | None
) -> None:
    device = damaged(case)
    result = mended(device, origin_size)
    if result is None:
        return
    mending, repair = result
    after = whole(repair)
    assert check_store(MemorySource(after), origin_size=origin_size).is_clean
    assert content(after) == expected(device, mending)
    again = mended(after, origin_size)
    assert again is not None
    assert not again[0].is_needed


def carried_out(device: bytes, repair: Mended) -> list[Device]:
    """The two parts of a repair in place, each recorded."""
    first = Device(device)
    repair.first.carry_out(first)
    second = Device(bytes(first.data).ljust(repair.size, b"\0"))
    repair.second.carry_out(second)
    assert bytes(second.data) == whole(repair)
    return [first, second]


@settings(max_examples=150)
@given(DAMAGED, st.sampled_from(Duplicates), st.data())
def test_repair_in_place_cut_off_anywhere(
    case: tuple[int, list[Any]], keep: Duplicates, data: st.DataObject
) -> None:
    """Nothing that the plan keeps is missing, and another repair ends where this one would have."""
    device = damaged(case)
    choices = Choices(keep, force_header=True)
    result = mended(device, choices=choices)
    if result is None:
        return
    mending, repair = result
    wanted = expected(device, mending)
    parts = carried_out(device, repair)
    for _ in range(4):
        part = data.draw(st.sampled_from(parts))
        dice = Random(data.draw(st.integers(0, 1 << 32)))
        position = data.draw(st.integers(0, len(part.tape.events)))
        left = bytes(part.cut(position, dice, luck(dice)))
        if left[:4] == b"SnAp":
            assert_nothing_is_missing(left, mending, wanted)
        again = mended(left, choices=choices)
        assert again is not None
        assert content(whole(again[1])) == wanted


@pytest.mark.parametrize("keep", Duplicates)
def test_what_is_kept_of_two_does_not_change_on_the_way(keep: Duplicates) -> None:
    """Two records for a chunk, in two sectors of an area that is then cut off before both."""
    store = healthy(40)
    put_slot(store, 32, 93, 34)  # slot 31 is for chunk 93, too
    spoil(store, set(range(12)), 1 << 20)
    choices = Choices(keep)
    result = mended(bytes(store), choices=choices)
    assert result is not None
    wanted = expected(bytes(store), result[0])
    assert len(wanted) == 27
    for part in carried_out(bytes(store), result[1]):
        for position in range(len(part.tape.events) + 1):
            again = mended(bytes(part.cut(position, Random(0), 1.0)), choices=choices)
            assert again is not None
            assert content(whole(again[1])) == wanted


def assert_nothing_is_missing(cut: bytes, mending: Mending, wanted: Content) -> None:
    """Every chunk that is to stay has a record with its data, and no hole was made in the list."""
    store = read_store(MemorySource(cut), header=mending.store.header)
    assert mending.store.tail.records or not store.tail.records
    assert mending.store.terminated <= store.terminated
    for old, kept in wanted.items():
        places = store.new[store.old == old].tolist()
        assert kept in [cut[int(new) * CHUNK :][:CHUNK] for new in places], old


@pytest.mark.parametrize(
    ("keep", "shown"), [(Duplicates.FIRST, 1), (Duplicates.LAST, 7)], ids=["first", "last"]
)
def test_contradicting_records_need_a_choice(keep: Duplicates, shown: int) -> None:
    store = healthy(10)
    put_slot(store, 7, 3, 9)  # chunk 3 was in slot 1 already
    source = MemorySource(bytes(store))
    with pytest.raises(RefusedError, match=r"Linux 6\.1 shows the first") as refused:
        decide(source, None, Choices())
    assert "--keep" in str(refused.value.hint)
    mending = decide(source, None, Choices(keep))
    repair = Mended(source, mending)
    repair.finish(None)
    assert content(whole(repair))[3] == struct.pack("<I", shown) * (CHUNK // 4)
    assert set(mending.dropped) == {"R4"}


def test_a_strange_header_needs_a_choice() -> None:
    store = healthy(10)
    store[:4] = b"oops"
    with pytest.raises(RefusedError) as refused:
        decide(MemorySource(bytes(store)), None, Choices())
    assert "--force-header" in str(refused.value.hint)
    assert decide(MemorySource(bytes(store)), None, ANY).rebuilds_header


@pytest.mark.parametrize("store", [b"", b"SnAp", bytes(1 << 16), b"x" * 5000])
def test_what_holds_no_list_is_no_business(store: bytes) -> None:
    with pytest.raises(LiveosError):
        decide(MemorySource(store), None, ANY)


def test_shared_data_become_two_copies() -> None:
    """R6: what is shown stays the same; a later write no longer shows in both."""
    store = healthy(10)
    put_slot(store, 5, 15, 3)
    before = content(bytes(store))
    mending = decide(MemorySource(bytes(store)), None, Choices())
    repair = Mended(MemorySource(bytes(store)), mending)
    repair.finish(None)
    after = whole(repair)
    assert content(after) == before
    assert len(set(KernelModel(bytearray(after), b"").map.values())) == 10


@pytest.mark.parametrize("records", [63, 64, 126, 127])
def test_a_full_dead_store_is_enlarged_before_it_lives_again(records: int) -> None:
    """S1 and S2 (section 3.3): otherwise it would die at once."""
    store = healthy(records)
    del store[(2 + records + records // SLOTS) * CHUNK :]
    store[4] = 0
    mending = decide(MemorySource(bytes(store)), None, Choices())
    repair = Mended(MemorySource(bytes(store)), mending)
    repair.finish(None)
    model = KernelModel(bytearray(whole(repair)), bytes(CHUNK), SECTORS)
    assert model.valid
    assert model.write(2000, b"n" * CHUNK)
    assert mending.size > len(store)


def test_a_store_cut_short_loads_again() -> None:
    """A1: the area with the end of the list was cut off, with rubbish in its begun part."""
    store = healthy(SLOTS)
    del store[(SLOTS + 2) * CHUNK :]
    store += b"\xff" * 100
    repair = mended(bytes(store))
    assert repair is not None
    assert content(whole(repair[1])) == content(bytes(healthy(SLOTS)))
