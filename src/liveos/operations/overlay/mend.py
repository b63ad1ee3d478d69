# SPDX-License-Identifier: Apache-2.0
"""A repair tried in memory: every write it takes, in an order that a power cut cannot harm.

The first part works on the store as long as it is: the list is mended there, so that no record
which leads behind the end of the file can come to lead into what is added to it. The second
part needs the new size. A store whose header is lost is marked invalid in the first part, and
alive again by the last write of all; meanwhile no kernel writes to it.
"""

from collections.abc import Mapping

import numpy as np

from liveos.errors import UnsupportedError
from liveos.formats.binary import ByteSource
from liveos.formats.exception_store import (
    ExceptionStore,
    MergedView,
    read_store,
    set_valid,
)
from liveos.formats.exception_store.edit import (
    allocated,
    clear_behind,
    drop,
    put_records,
)
from liveos.formats.exception_store.trial import Trial
from liveos.formats.exception_store.writable import WritableView
from liveos.medium.overlay.check import check_store
from liveos.medium.overlay.faults import RecordFaults
from liveos.operations.overlay.mending import Mending, fitting_size, with_more
from liveos.report import Severity


class Mended:
    """A store after its repair; ``first`` and ``second`` are the parts of the work."""

    def __init__(self, source: ByteSource, mending: Mending) -> None:
        self._mending = mending
        self.first = Trial(source)
        _mend_list(self.first, mending)
        self.second = Trial(self.first, mending.size)
        _separate(self.second, read_store(self.second))

    @property
    def size(self) -> int:
        """Bytes of the repaired store."""
        return self.second.size

    @property
    def chunk_size(self) -> int:
        """Bytes of a chunk."""
        return self._mending.store.geometry.chunk_size

    @property
    def writes(self) -> bool:
        """Whether anything of the store is written at all."""
        return self.first.writes or self.second.writes

    def view(self, origin: ByteSource) -> MergedView:
        """What the repaired store shows over its origin."""
        return MergedView(origin, read_store(self.second), self.second)

    def write_view(self, chunks: Mapping[int, bytes], last: set[int], origin: ByteSource) -> None:
        """Change whole chunks of the view, those of ``last`` after all others are durable.

        The store is enlarged where it has no room for them.
        """
        store = read_store(self.second)
        new = len(np.setdiff1d(np.array(sorted(chunks), np.int64), store.old))
        if new:
            self.second.grow(fitting_size(with_more(store, new), origin.size))
        view = WritableView(origin, self.second, read_store(self.second))
        for now in (chunks.keys() - last, chunks.keys() & last):
            for chunk in sorted(now):
                view.write_at(chunk * self.chunk_size, chunks[chunk])
            view.flush()

    def finish(self, origin_size: int | None) -> None:
        """Make it alive, and check what has become of it.

        :raises UnsupportedError: something is still wrong.
        """
        if self._mending.writes_header:
            set_valid(self.second, self._mending.store.geometry)
        for finding in check_store(self.second, origin_size=origin_size).findings:
            if finding.severity is not Severity.INFO:
                raise UnsupportedError(f"it cannot be repaired: {finding.message}")


def _mend_list(trial: Trial, mending: Mending) -> None:
    store = mending.store
    if mending.rebuilds_header:
        set_valid(trial, store.geometry, valid=False)
    if mending.clears_tail:
        clear_behind(trial, store)
    if len(mending.unwanted):
        drop(trial, store, mending.unwanted)
    elif not store.terminated:
        _clear_begun_area(trial, store)


def _clear_begun_area(trial: Trial, store: ExceptionStore) -> None:
    """Zero what the file has of the area that is to end the list once it is longer (A1)."""
    area = store.count // store.geometry.slots_per_area
    start = store.geometry.area_chunk(area) * store.geometry.chunk_size
    if start < trial.size:
        trial.write_at(start, bytes(trial.size - start))
        trial.flush()


def _separate(trial: Trial, store: ExceptionStore) -> None:
    """Give records that share their data a copy of their own (R6); the view stays as it is."""
    slots, size = RecordFaults(store).shared, store.geometry.chunk_size
    if not len(slots):
        return
    new = allocated(store, len(slots))
    for slot, chunk in zip(slots.tolist(), new.tolist(), strict=True):
        trial.write_at(chunk * size, trial.read_at(int(store.new[slot]) * size, size))
    trial.flush()
    put_records(trial, store.geometry, slots, store.old[slots], new.astype(np.uint64))
