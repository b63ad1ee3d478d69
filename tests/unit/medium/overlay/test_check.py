# SPDX-License-Identifier: Apache-2.0
"""Damaged stores: each damage gives its code of section 3.1 of the reference, and no other."""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.formats.binary import FileSource, MemorySource
from liveos.formats.exception_store import Geometry, Header, read_store
from liveos.medium.overlay.check import Level, StoreState, check_store, infer_header
from liveos.medium.overlay.faults import RecordFaults
from liveos.report import Severity
from tests.data.snapshot_cases import Recorded, header, raw_store, recorded
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.formats.exception_store.test_properties import LIKELY_STORES

CHUNK = 512  # chunks of one sector: 32 records an area


@dataclass(frozen=True)
class Damage:
    """A change to a store's bytes, with a name for the report of the test."""

    name: str
    change: Callable[[bytearray], None]

    def __call__(self, store: bytearray) -> None:
        self.change(store)

    def __str__(self) -> str:
        return self.name


def healthy(records: int = 40, chunks: int = 110) -> bytearray:
    """A store that the model of the kernel wrote."""
    model = KernelModel(bytearray(chunks * CHUNK), bytes(CHUNK), 1)
    for number in range(records):
        assert model.write(3 * number, bytes(CHUNK))
    return model.device


def slot(number: int, old: int, new: int) -> Damage:
    """Overwrite a record."""
    area, place = divmod(number, 32)

    def damage(store: bytearray) -> None:
        struct.pack_into("<QQ", store, (1 + 33 * area) * CHUNK + 16 * place, old, new)

    return Damage(f"slot {number} is {old} {new}", damage)


def put(offset: int, data: bytes) -> Damage:
    def damage(store: bytearray) -> None:
        store[offset : offset + len(data)] = data

    return Damage(f"byte {offset} is {data.hex()}", damage)


def cut(size: int) -> Damage:
    def damage(store: bytearray) -> None:
        del store[size:]

    return Damage(f"cut at {size}", damage)


def codes(store: bytes, origin_size: int | None = None) -> set[str]:
    check = check_store(MemorySource(store), origin_size=origin_size)
    return {finding.code for finding in check.findings}


def test_healthy_store() -> None:
    check = check_store(MemorySource(bytes(healthy())))
    assert (check.state, check.findings, check.is_clean) == (StoreState.VALID, (), True)


# Slot 5 has old 15 and new 7; slot 39 is the last.
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (cut(12), {"H1"}),
        (cut(CHUNK), {"H1"}),
        (put(0, b"SnAq"), {"H3"}),
        (put(8, b"\2"), {"H4"}),
        (put(12, b"\3"), {"H5"}),
        (put(12, b"\0"), {"H5"}),
        (put(4, b"\0"), {"H6"}),
        (put(4, b"\2"), {"H7"}),
        (put(100, b"x"), {"H7"}),
        (slot(45, 9, 50), {"A2"}),
        (slot(45, 9, 0), {"A3"}),
        (slot(40, 9, 0), {"A3"}),
        (slot(5, 15, 110), {"R1", "R8", "S2"}),
        (slot(5, 15, 1), {"R2", "R8"}),
        (slot(5, 15, 34), {"R2", "R8"}),
        (slot(39, 15, 42), {"R4"}),
        (slot(39, 15, 7), {"R5", "R8"}),
        (slot(5, 16, 6), {"R6", "R8"}),
        (slot(5, 15, 1 << 56), {"R7", "R8", "S2"}),
        (slot(39, 15, 60), {"R4", "R8"}),
        (slot(39, 200, 60), {"R8"}),
        (cut(67 * CHUNK), {"S1"}),
        (cut(43 * CHUNK), {"S2"}),
        (cut(90 * CHUNK + 100), {"S4"}),
    ],
    ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else str(value),
)
def test_damage_is_found_under_its_code(damage: Damage, expected: set[str]) -> None:
    store = healthy()
    damage(store)
    assert codes(bytes(store)) == expected


def test_unterminated_store() -> None:
    store = healthy(32, 40)
    assert codes(bytes(store[: 34 * CHUNK])) == {"A1", "S1", "S2"}


def test_findings_that_need_the_origin() -> None:
    store = bytes(healthy())
    assert codes(store, 118 * CHUNK) == set()
    assert codes(store, 117 * CHUNK) == {"R3"}
    assert codes(store, 117 * CHUNK - 1) == {"R3"}
    whole = bytes(healthy(60))
    assert codes(whole, 60 * CHUNK) == {"R3", "S3"}
    # Of the 64 data chunks an origin of 63 never takes the last, on which the store would die.
    assert codes(bytes(healthy(10, 67)), 63 * CHUNK) == {"S3"}
    assert codes(bytes(healthy(10, 67)), 64 * CHUNK) == {"S1"}


def test_blank_and_lost_headers() -> None:
    assert check_store(MemorySource(bytes(1 << 20))).state is StoreState.BLANK
    lost = healthy()
    lost[:16] = bytes(16)
    check = check_store(MemorySource(bytes(lost)))
    assert check.state is StoreState.DAMAGED
    assert [finding.code for finding in check.findings] == ["H2"]
    assert check.store is not None
    assert check.store.count == 40


@pytest.mark.parametrize("one", recorded(lambda one: one.name.startswith(("chunk-", "records-"))))
def test_lost_header_is_inferred(one: Recorded) -> None:
    """From stores of the kernel with chunks of 1, 2, 8, 16 and 32 sectors."""
    erased = MemorySource(bytes(16) + one.store[16:])
    assert infer_header(erased) == Header.unpack(one.store)


def test_levels() -> None:
    store = healthy()
    for damage in (slot(45, 9, 50), slot(5, 15, 110), put(100, b"x")):
        damage(store)
    found = [
        {finding.code for finding in check_store(MemorySource(bytes(store)), level=level).findings}
        for level in Level
    ]
    assert found == [{"H7"}, {"H7", "A2"}, {"H7", "A2", "R1", "R8", "S2"}]


@pytest.mark.parametrize(
    ("damage", "state"),
    [
        (put(4, b"\0"), StoreState.INVALID),
        (cut(43 * CHUNK), StoreState.FULL),
        (slot(45, 9, 50), StoreState.DAMAGED),
        (slot(45, 9, 0), StoreState.VALID),
        (cut(10), StoreState.DAMAGED),
    ],
    ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else str(value),
)
def test_state(damage: Damage, state: StoreState) -> None:
    store = healthy()
    damage(store)
    assert check_store(MemorySource(bytes(store))).state is state


KERNEL_MADE = ("empty", "records-", "chunk-", "parallel", "ext4-", "partial-", "rewritten")


@pytest.mark.parametrize("one", recorded(lambda one: one.name.startswith(KERNEL_MADE)))
def test_nothing_to_find_in_what_kernels_wrote(one: Recorded) -> None:
    chunk = int.from_bytes(one.store[12:16], "little")
    boundary = len(one.store) // 512 // chunk % (32 * chunk + 1) == 1
    expected = {"S1"} if boundary else set()
    expected |= {"H6"} if one.facts["reloaded"] == "Invalid" else set()
    assert codes(one.store) - {"S2"} == expected
    if one.facts.get("live") == "Overflow":
        assert "S2" in codes(one.store)


@pytest.mark.parametrize("one", recorded(lambda one: "error" in one.facts))
def test_what_the_kernel_refuses_is_fatal(one: Recorded) -> None:
    check = check_store(MemorySource(one.store))
    assert check.state is StoreState.DAMAGED
    assert any(finding.severity is Severity.FATAL for finding in check.findings)


def test_faults_name_slots() -> None:
    records = [(5, 2), (6, 3), (5, 2), (5, 9), (7, 3), (6, 4)]
    store = read_store(MemorySource(raw_store(100, header(1), {0: records})))
    faults = RecordFaults(store)
    assert faults.repeated.tolist() == [2]
    assert faults.conflicting.tolist() == [3, 5]
    assert faults.shared.tolist() == [4]
    assert faults.leaked_chunks == 4
    wild = read_store(MemorySource(raw_store(100, header(1), {0: [(5, 1), (6, 34), (7, 999)]})))
    assert RecordFaults(wild).leaked_chunks == 98 - 2  # chunks 34 and 67 are areas


@settings(max_examples=200)
@given(LIKELY_STORES, st.one_of(st.none(), st.integers(0, 40000)))
def test_any_store_can_be_checked(data: bytes, origin_size: int | None) -> None:
    for level in Level:
        check_store(MemorySource(data), origin_size=origin_size, level=level)


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.write_bytes(bytes(healthy()))
    before = hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns
    path.chmod(0o400)
    with FileSource(path) as source:
        check_store(source, origin_size=1 << 20)
    assert (hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns) == before


def test_leaks_are_those_of_gaps() -> None:
    store = read_store(MemorySource(raw_store(100, header(1), {0: [(4, 9), (5, 3), (6, 20)]})))
    assert Geometry(1).data_chunks_in(21) - 3 == RecordFaults(store).leaked_chunks
    assert np.array_equal(RecordFaults(store).shared, [])
