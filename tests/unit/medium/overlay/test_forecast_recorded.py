# SPDX-License-Identifier: Apache-2.0
"""Forecasts for blank stores that recorded kernels have filled, one chunk after the other."""

from dataclasses import replace

import pytest

from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import LINUX_6_12, Geometry, read_store
from liveos.medium.overlay.forecast import Ending, forecast, forecast_blank
from tests.data.snapshot_cases import CASES, SECTOR, Recorded, recorded

CASE = {case.name: case for case in CASES}
ENDING = {"Overflow": Ending.OVERFLOW, "Invalid": Ending.INVALID}


def _filled(one: Recorded) -> bool:
    return one.name.startswith("full-")


@pytest.mark.parametrize("one", recorded(_filled))
def test_a_blank_store_ends_as_foretold(one: Recorded) -> None:
    case = CASE[one.name]
    kernel = replace(LINUX_6_12, can_overflow=case.option == "PO")
    size = case.sectors * SECTOR
    foretold = forecast_blank(Geometry(case.chunk), size, len(case.origin()), kernel)
    assert foretold.ending is ENDING[one.facts["live"]]
    assert foretold.new_chunks == read_store(MemorySource(one.store)).count


@pytest.mark.parametrize("one", recorded(lambda one: _filled(one) and one.name.endswith("-PO")))
def test_a_full_store_is_told_to_be_full(one: Recorded) -> None:
    """Marked invalid or not: what is left of it has no room for another chunk."""
    store = read_store(MemorySource(one.store))
    foretold = forecast(store, len(CASE[one.name].origin()))
    assert foretold.new_chunks == 0
    assert foretold.ending is ENDING[one.facts["live"]]
