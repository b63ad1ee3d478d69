# SPDX-License-Identifier: Apache-2.0
"""What is foretold is what the model of the kernel then does."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import BEFORE_4_3, Geometry, KernelRules, read_store
from liveos.medium.overlay.forecast import Ending, Forecast, forecast, forecast_blank
from tests.unit.formats.exception_store.kernel_model import KernelModel

SECTOR = 512


def fill(model: KernelModel, origin_chunks: int, first: int) -> tuple[Ending, int]:
    """Change chunk after chunk until the kernel fails: the ending, and how many were kept."""
    size = model.chunk_sectors * SECTOR
    for done, chunk in enumerate(range(first, origin_chunks)):
        if not model.write(chunk * model.chunk_sectors, b"n" * size):
            return (Ending.OVERFLOW if model.overflowed else Ending.INVALID), done
    return Ending.NEVER, origin_chunks - first


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([1, 2]),
    st.integers(3, 210),
    st.integers(1, 230),
    st.integers(0, 150),
    st.sampled_from(["P", "PO"]),
)
@example(1, 34, 230, 5, "PO")
@example(1, 67, 230, 5, "PO")
@example(1, 67, 63, 5, "PO")
@example(1, 67, 62, 5, "PO")
@example(1, 67, 64, 0, "P")
@example(1, 35, 33, 0, "PO")
def test_the_ending_is_the_kernels(
    sectors: int, store_chunks: int, origin_chunks: int, used: int, option: str
) -> None:
    origin = bytes(origin_chunks * sectors * SECTOR)
    blank = bytearray(store_chunks * sectors * SECTOR)
    rules = KernelRules(duplicates=BEFORE_4_3.duplicates, can_overflow=option == "PO")
    model = KernelModel(blank, origin, sectors, option)
    for chunk in range(min(used, origin_chunks)):
        model.write(chunk * sectors, b"u" * (sectors * SECTOR))
    if model.overflowed or not model.valid:
        return
    store = read_store(MemorySource(bytes(model.device)))
    told = forecast(store, len(origin), rules)
    ending, kept = fill(model, origin_chunks, store.count)
    assert (told.ending, told.new_chunks) == (ending, kept)
    if not store.count:
        assert forecast_blank(Geometry(sectors), len(blank), len(origin), rules) == told


def test_without_an_origin_the_worst_is_told() -> None:
    model = KernelModel(bytearray(101 * SECTOR), bytes(20 * SECTOR), 1)
    store = read_store(MemorySource(bytes(model.device)))
    assert forecast(store) == Forecast(Ending.OVERFLOW, 96)
    assert forecast(store, 20 * SECTOR) == Forecast(Ending.NEVER, 20, 20)


@pytest.mark.parametrize("mib", [256, 513, 3854])
def test_sizes_of_fact_5(mib: int) -> None:
    told = forecast_blank(Geometry(8), mib << 20)
    assert told.ending is Ending.INVALID
    assert forecast_blank(Geometry(8), (mib << 20) + 4096).ending is Ending.OVERFLOW
    assert forecast_blank(Geometry(8), mib << 20, 64 << 20).ending is Ending.NEVER
