# SPDX-License-Identifier: Apache-2.0
"""Compacting a store in place: its data moved together, without a second file (reference 4.3).

A record may lie in any slot and name any data chunk, so nothing has to be where the kernel would
have put it. Each function leaves a store that shows the same after a power cut at any write.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteStore
from liveos.formats.exception_store.chunks import read_chunks
from liveos.formats.exception_store.edit import put_records
from liveos.formats.exception_store.errors import StoreFullError
from liveos.formats.exception_store.reader import ExceptionStore

_BATCH = 32 << 20


def relocate(
    device: ByteStore, store: ExceptionStore, progress: Callable[[int], None] = lambda _done: None
) -> ExceptionStore:
    """Move data from the highest chunks into the lowest free ones, until there are no gaps.

    A copy is durable before the record names it, and the chunk that it comes from is given to no
    other: until the records are durable, old and new place hold the same. ``store`` has one record
    for each chunk, and no data chunk twice; its list as it is then is returned.
    """
    size = store.geometry.chunk_size
    slots, free = _moves(store)
    new = store.new.astype(np.int64)
    batch = max(1, _BATCH // size)
    for start in range(0, len(slots), batch):
        movers, targets = slots[start : start + batch], free[start : start + batch]
        rows = read_chunks(device, new[movers].astype(np.uint64), size)
        for first, stop in _runs(targets):
            device.write_at(int(targets[first]) * size, rows[first:stop].tobytes())
        device.flush()
        new[movers] = targets
        places = np.sort(movers)
        put_records(
            device, store.geometry, places, store.old[places], new[places].astype(np.uint64)
        )
        progress((start + len(movers)) * size)
    return replace(store, new=new.astype(np.uint64))


def renew(device: ByteStore, store: ExceptionStore, chunk: int, data: bytes) -> ExceptionStore:
    """Exchange the whole contents of an exception at once, durable on return.

    Not even a torn write shows: the new contents go into a free chunk, and the record, which is
    within one sector, names that one then.

    :raises StoreFullError: there is no free chunk.
    """
    spare = int(_lowest_free(store, 1)[0])
    if spare >= store.chunks:
        raise StoreFullError("the store has no free chunk to work with")
    device.write_at(spare * store.geometry.chunk_size, data)
    device.flush()
    slot = np.flatnonzero(store.old == chunk)[:1]
    put_records(device, store.geometry, slot, store.old[slot], np.array([spare], np.uint64))
    new = store.new.astype(np.uint64)
    new[slot] = spare
    return replace(store, new=new)


def is_dense(store: ExceptionStore) -> bool:
    """Whether no data chunk below the next free one is unused."""
    return not len(store.new) or int(store.new.max()) == store.geometry.canonical_chunk(
        store.count - 1
    )


def _moves(store: ExceptionStore) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Slots whose data must move, by their data's place, and for each the chunk to move to."""
    if not store.count:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    end = store.geometry.canonical_chunk(store.count - 1)
    slots = np.flatnonzero(store.new > end)
    slots = slots[np.argsort(store.new[slots], kind="stable")]
    return slots, _lowest_free(store, len(slots))


def _lowest_free(store: ExceptionStore, count: int) -> NDArray[np.int64]:
    """The lowest data chunks that no record names, in order."""
    places = store.geometry.canonical_chunks(store.count + count).astype(np.int64)
    taken = np.isin(places, store.new.astype(np.int64))
    return places[~taken][:count]


def _runs(numbers: NDArray[np.int64]) -> list[tuple[int, int]]:
    """(first, stop) of positions whose numbers follow each other."""
    breaks = (np.flatnonzero(np.diff(numbers) != 1) + 1).tolist()
    return list(zip([0, *breaks], [*breaks, len(numbers)], strict=True))
