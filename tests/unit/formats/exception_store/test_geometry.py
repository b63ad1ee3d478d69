# SPDX-License-Identifier: Apache-2.0
"""Sizes and places: against counting one by one, and against the model filling stores."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import ChunkSizeError, Geometry, read_store, status_line
from tests.unit.formats.exception_store.kernel_model import KernelModel

CHUNK_SECTORS = st.sampled_from([1, 2, 8, 16, 32])


def test_liveos_layout() -> None:
    """Facts 1 and 2 of the reference, at the chunk size of LiveOS."""
    geometry = Geometry(8)
    assert (geometry.chunk_size, geometry.slots_per_area, geometry.stride) == (4096, 256, 257)
    assert [geometry.area_chunk(area) for area in range(3)] == [1, 258, 515]
    assert [chunk for chunk in range(600) if geometry.is_metadata(chunk)] == [0, 1, 258, 515]


@pytest.mark.parametrize("sectors", [-8, 0, 3, 7, 24, 1 << 22, 1 << 31])
def test_chunk_sizes_that_no_kernel_takes(sectors: int) -> None:
    with pytest.raises(ChunkSizeError):
        Geometry(sectors)


@pytest.mark.parametrize("sectors", [1, 2, 8])
def test_counts_against_counting(sectors: int) -> None:
    geometry = Geometry(sectors)
    metadata = data = 0
    canonical = []
    for chunks in range(1200):
        assert geometry.areas_in(chunks) == max(0, metadata - 1)
        assert geometry.data_chunks_in(chunks) == data
        if geometry.is_metadata(chunks):
            metadata += 1
        else:
            canonical.append(chunks)
            data += 1
    assert geometry.canonical_chunks(len(canonical)).tolist() == canonical
    assert [geometry.canonical_chunk(slot) for slot in range(len(canonical))] == canonical


def test_canonical_chunks_beyond_32_bits() -> None:
    geometry = Geometry(1)
    assert geometry.canonical_chunks(0).tolist() == []
    assert geometry.canonical_chunk(1 << 33) == 2 + (1 << 33) + (1 << 28)


def test_boundary_sizes_of_the_reference() -> None:
    """Fact 5: whole MiB at 4 KiB chunks up to 4 GiB that die when they fill."""
    geometry = Geometry(8)
    boundaries = [mib for mib in range(1, 4096) if geometry.is_boundary(mib * 256)]
    assert boundaries == [256, 513, 770, 1027, 1284, 1541, 1798, 2055, 2312, 2569, 2826, 3083,
                          3340, 3597, 3854]  # fmt: skip
    assert geometry.off_boundary(256 * 256) == 256 * 256 + 1
    assert geometry.off_boundary(255 * 256) == 255 * 256
    assert not geometry.is_boundary(1)


def filled(chunks: int, sectors: int) -> tuple[KernelModel, int]:
    """The model after filling a store to its end, and how many writes went well."""
    geometry = Geometry(sectors)
    origin = bytes(geometry.chunk_size * (chunks + 1))
    model = KernelModel(bytearray(chunks * geometry.chunk_size), origin, sectors)
    data = bytes(geometry.chunk_size)
    good = 0
    while model.write(good * sectors, data):
        good += 1
    return model, good


@settings(max_examples=60)
@given(st.integers(3, 700), st.sampled_from([1, 2, 4]))
def test_filling_any_size(chunks: int, sectors: int) -> None:
    geometry = Geometry(sectors)
    fresh = KernelModel(bytearray(chunks * geometry.chunk_size), b"", sectors)
    empty = read_store(MemorySource(bytes(fresh.device)))
    model, good = filled(chunks, sectors)
    dies = chunks > geometry.stride and chunks % geometry.stride == 1
    assert model.status() == ("Invalid" if dies else "Overflow")
    assert empty.dies_when_full() == geometry.is_boundary(chunks) == dies
    assert empty.free_chunks() == geometry.data_chunks_in(chunks) == good + dies


@given(CHUNK_SECTORS, st.integers(0, 3000))
def test_least_store_for_records_loads_and_less_does_not(sectors: int, records: int) -> None:
    """Fact 9: the terminator's area must lie inside."""
    geometry = Geometry(sectors)
    least = geometry.chunks_for(records)
    assert geometry.areas_in(least) == records // geometry.slots_per_area + 1
    assert geometry.data_chunks_in(least) == records
    cut = least - 1
    assert (
        geometry.data_chunks_in(cut) < records
        or geometry.areas_in(cut) * (geometry.slots_per_area) <= records
    )


# Section 1.9: lines from the Fedora wiki, the kernel's documentation, and its author's runs.
@pytest.mark.parametrize(
    ("records", "total", "line"),
    [
        (5265, 1048576, "42296/1048576 176"),
        (49542, 2097152, "397896/2097152 1560"),
        (0, 2064, "16/2064 16"),
        (1, 2064, "24/2064 16"),
        (255, 2064, "2056/2064 16"),
        (256, 2080, "2072/2080 24"),
        (257, 2080, "2080/2080 24"),
    ],
)
def test_status_lines_from_elsewhere(records: int, total: int, line: str) -> None:
    device = SparseStore(total, records)
    assert status_line(device) == line


class SparseStore:
    """A canonical store of any size whose bytes are computed: no data, only metadata."""

    def __init__(self, sectors: int, records: int) -> None:
        self.size = sectors * 512
        self._records = records

    def read_at(self, offset: int, length: int) -> bytes:
        if offset == 0:
            return (b"SnAp" + b"".join(n.to_bytes(4, "little") for n in (1, 1, 8)))[:length]
        chunk, rest = divmod(offset, 4096)
        assert chunk % 257 == 1, "only metadata chunks are read"
        assert (rest, length) == (0, 4096)
        first = chunk // 257 * 256
        slots = (self._slot(slot) for slot in range(first, first + 256))
        return b"".join(slots)

    def _slot(self, slot: int) -> bytes:
        if slot >= self._records:
            return bytes(16)
        return slot.to_bytes(8, "little") + (2 + slot + slot // 256).to_bytes(8, "little")


def test_cost_follows_the_exceptions_not_the_nominal_size() -> None:
    reads: list[int] = []

    class Counting(SparseStore):
        def read_at(self, offset: int, length: int) -> bytes:
            reads.append(length)
            return super().read_at(offset, length)

    store = read_store(Counting(1 << 50, 1000))
    assert store.count == 1000
    assert sum(reads) <= 2 * 5 * 4096
