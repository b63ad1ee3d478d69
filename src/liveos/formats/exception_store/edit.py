# SPDX-License-Identifier: Apache-2.0
"""Changes to the list of a store in place, each safe against a power cut at any moment.

What is relied on: a write of 512 bytes at a multiple of them is done or not done, larger ones
are torn between sectors, and without a flush between them writes reach the disk in any order.
A record of 16 bytes never lies in two sectors. So whatever a cut leaves, every slot has its
record of before or of after, and these orders see to it that any such mixture is a store which
loads, has no record that was not there before, and lacks none that is to stay.

Orders after section 3.3 of the reference, made finer where a torn area would leave a hole in
the list: records behind a hole come back to life later (fact 7).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteStore
from liveos.formats.exception_store.geometry import RECORD, SECTOR, Geometry
from liveos.formats.exception_store.reader import ExceptionStore

_PER_SECTOR = SECTOR // RECORD.itemsize
_Slots = NDArray[np.int64]
_Column = NDArray[np.unsignedinteger]


def clear_behind(file: ByteStore, store: ExceptionStore) -> None:
    """Zero the slots behind the end of the list, in the area where it ends (A2, A3).

    Nothing of the list is changed, so that one write is enough, however it is torn.
    """
    geometry = store.geometry
    end = (store.count // geometry.slots_per_area + 1) * geometry.slots_per_area
    offset = slot_offset(geometry, store.count)
    file.write_at(offset, bytes((end - store.count) * RECORD.itemsize))
    file.flush()


def drop(file: ByteStore, store: ExceptionStore, slots: _Slots) -> None:
    """Take the records in ``slots`` (ascending) out of a list that ends cleanly, without a hole.

    First every unwanted record is overwritten by one that stays: in the part of the list that
    remains, by one from behind it. Meanwhile some stand there twice, which is harmless (R5), and
    which record for a chunk comes first or last among those that stay does not change. When that
    is durable, the list is cut. (Unwanted ones all at the end are just cut off.)
    """
    stays = np.ones(store.count, dtype=bool)
    stays[slots] = False
    left = store.count - len(slots)
    movers = np.flatnonzero(stays[left:]) + left
    if len(movers):
        source = np.resize(movers, len(slots))
        put_records(file, store.geometry, slots, store.old[source], store.new[source])
    truncate(file, store.geometry, store.count, left)


def put_records(
    file: ByteStore, geometry: Geometry, slots: _Slots, old: _Column, new: _Column
) -> None:
    """Overwrite the records in ``slots``, given in ascending order, sector by sector.

    Durable on return; a cut before that leaves any of them as they were.
    """
    sectors = slots // _PER_SECTOR
    starts = np.flatnonzero(np.concatenate(([True], sectors[1:] != sectors[:-1])))
    for part in np.split(np.arange(len(slots)), starts[1:]):
        offset = slot_offset(geometry, int(sectors[part[0]]) * _PER_SECTOR)
        records = np.frombuffer(file.read_at(offset, SECTOR), RECORD).copy()
        places = slots[part] % _PER_SECTOR
        records["old"][places], records["new"][places] = old[part], new[part]
        file.write_at(offset, records.tobytes())
    file.flush()


def truncate(file: ByteStore, geometry: Geometry, count: int, left: int) -> None:
    """Cut a list of ``count`` records behind the first ``left``.

    Only the area where it then ends is changed; the kernel looks at none behind it, and clears
    each before it uses it again. Sectors are cleared from the last to the first, each durable
    before the next: the list gets shorter step by step and never has a hole.
    """
    end = min(count, (left // geometry.slots_per_area + 1) * geometry.slots_per_area)
    for sector in reversed(range(left // _PER_SECTOR, -(-end // _PER_SECTOR))):
        first = sector * _PER_SECTOR
        offset = slot_offset(geometry, first)
        kept = max(0, left - first) * RECORD.itemsize
        file.write_at(offset, file.read_at(offset, kept).ljust(SECTOR, b"\0"))
        file.flush()


def append(file: ByteStore, store: ExceptionStore, contents: Mapping[int, bytes]) -> None:
    """Add exceptions for chunks of the origin that have none: numbers and whole contents.

    Data come first, then the areas behind the one where the list ends; the kernel does not look
    at those. Then that one is filled, sector after sector, each durable before the next.

    :raises TruncatedError: the store is too short for them.
    """
    geometry = store.geometry
    new = allocated(store, len(contents))
    for chunk, data in zip(new.tolist(), contents.values(), strict=True):
        file.write_at(chunk * geometry.chunk_size, data)
    file.flush()
    slots = geometry.slots_per_area
    begun = store.count // slots
    records = np.zeros(((store.count + len(new)) // slots + 1 - begun) * slots, RECORD)
    first = store.count - begun * slots
    records["old"][:first] = store.old[begun * slots :]
    records["new"][:first] = store.new[begun * slots :]
    records["old"][first : first + len(new)] = list(contents)
    records["new"][first : first + len(new)] = new
    for area in range(1, len(records) // slots):
        part = records[area * slots : (area + 1) * slots]
        file.write_at(slot_offset(geometry, (begun + area) * slots), part.tobytes())
    file.flush()
    for sector in range(first // _PER_SECTOR, -(-min(first + len(new), slots) // _PER_SECTOR)):
        part = records[sector * _PER_SECTOR : (sector + 1) * _PER_SECTOR]
        file.write_at(slot_offset(geometry, begun * slots + sector * _PER_SECTOR), part.tobytes())
        file.flush()


def allocated(store: ExceptionStore, count: int) -> NDArray[np.int64]:
    """The data chunks that the kernel would take for the next ``count`` exceptions."""
    taken = store.geometry.data_chunks_in(store.next_free())
    chunks = [store.geometry.canonical_chunk(taken + number) for number in range(count)]
    return np.array(chunks, np.int64)


def slot_offset(geometry: Geometry, slot: int) -> int:
    """Where a record lies, in bytes."""
    area, place = divmod(slot, geometry.slots_per_area)
    return geometry.area_chunk(area) * geometry.chunk_size + place * RECORD.itemsize
