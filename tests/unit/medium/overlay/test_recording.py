# SPDX-License-Identifier: Apache-2.0
"""What can be read of stores that are not in order, to record it."""

import pytest

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.exception_store import Span, read_store
from liveos.medium.overlay.recording import is_recording, read_legible, read_recording
from tests.data.snapshot_cases import Recorded, header, raw_store, recorded, recordings

GOOD = [(100 + 3 * slot, 2 + slot) for slot in range(9)]


@pytest.mark.parametrize("one", recorded(lambda one: "reloaded" in one.facts))
def test_what_the_kernel_loads_is_read_as_it_loads_it(one: Recorded) -> None:
    source = MemorySource(one.store)
    legible, store = read_legible(source), read_store(source)
    assert legible.store.old.tolist() == store.old.tolist()
    assert legible.store.new.tolist() == store.new.tolist()


@pytest.mark.parametrize("head", [bytes(16), b"junk" * 4, header(1, version=7), header(24)])
def test_a_lost_header_is_found_by_its_records(head: bytes) -> None:
    """64 records of chunks of a sector, whose header is gone."""
    records = {0: [(200 + slot, 2 + slot) for slot in range(32)], 1: [(7, 35)]}
    legible = read_legible(MemorySource(raw_store(100, head, records)))
    assert legible.store.count == 33
    assert legible.store.geometry.chunk_sectors == 1
    assert legible.spans == (Span.single(0, 512), Span(512, 512, 33 * 512, 2))
    assert legible.findings


def test_a_blank_store_has_no_list_and_no_area() -> None:
    legible = read_legible(MemorySource(bytes(1 << 20)))
    assert legible.store.count == 0
    assert legible.spans == (Span.single(0, 4096),)


@pytest.mark.parametrize("data", [b"", bytes(15), b"\x7fELF" * 5000, header(3).ljust(9000, b"x")])
def test_what_is_no_store_has_nothing_to_record(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_legible(MemorySource(data))


@pytest.mark.parametrize("data", [b"", b"LOSpac", b"SnAp" * 100, b"{}"])
def test_what_is_no_recording(data: bytes) -> None:
    assert not is_recording(MemorySource(data))
    with pytest.raises(FormatError):
        read_recording(MemorySource(data))


def test_findings_do_not_need_a_list_that_makes_sense() -> None:
    one = recordings()["trixie", "hand-wild-new"]
    assert read_legible(MemorySource(one.store)).store.count == 3
