# SPDX-License-Identifier: Apache-2.0
"""What kernels wrote and merged, done again by ours: the same bytes."""

import pytest

from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import Geometry, create, read_store
from liveos.formats.exception_store.merging import merge_into_origin
from liveos.formats.exception_store.writable import WritableView
from tests.data.snapshot_cases import CASES, SECTOR, Recorded, recorded, recordings
from tests.unit.formats.exception_store.power_cuts import Device
from tests.unit.formats.exception_store.test_recorded import KERNEL, origin_of, whole_view

CASE = {case.name: case for case in CASES}


def _writes_alone(one: Recorded) -> bool:
    """A blank store that was written to and never full."""
    case = CASE.get(one.name)
    return case is not None and case.initial is None and not one.name.startswith("full-")


@pytest.mark.parametrize("one", recorded(_writes_alone))
def test_writes_leave_what_the_kernel_leaves(one: Recorded) -> None:
    case = CASE[one.name]
    device = Device(bytes(case.sectors * SECTOR))
    create(device, Geometry(case.chunk))
    view = WritableView(MemorySource(case.origin()), device, read_store(device))
    for put in case.puts:
        for sector, data in put.writes():
            view.write_at(sector * SECTOR, data[: view.size - sector * SECTOR])
    view.flush()
    assert device.data == one.store


@pytest.mark.parametrize("suite", KERNEL)
@pytest.mark.parametrize("name", ["merge-before", "merge-half", "merge-full"])
def test_a_merge_that_a_kernel_began_is_ended(suite: str, name: str) -> None:
    one, full = recordings()[suite, name], recordings()[suite, "merge-full"]
    origin, device = Device(origin_of(one)), Device(one.store)
    merge_into_origin(origin, device, read_store(device))
    assert origin.data == full.files["origin"] == whole_view(recordings()[suite, "merge-before"])
    assert device.data == full.store
