# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a store's records, as slots: the facts that check and repair share.

The kernel checks nothing of this on loading (reference 1.2); the codes are those of section 3.1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from liveos.formats.exception_store import FIRST_DATA_CHUNK, ExceptionStore
from liveos.report import Severity

Slots = NDArray[np.int64]
# The kernel keeps a run's length in the high 8 bits of a chunk number.
_MAX_CHUNK = (1 << 56) - 1
_NONE: Slots = np.empty(0, np.int64)


@dataclass(frozen=True)
class RecordFaults:
    """Slots of records that break a rule. ``origin_chunks`` None leaves R3 unanswered."""

    store: ExceptionStore
    origin_chunks: int | None = None

    @cached_property
    def beyond_store(self) -> Slots:
        """R1: the data would lie behind the end of the file."""
        new = self.store.new
        return _where((new >= self.store.chunks) & (new <= _MAX_CHUNK))

    @cached_property
    def on_metadata(self) -> Slots:
        """R2: the data would lie in the header or in an area."""
        new, stride = self.store.new, self.store.geometry.stride
        return _where((new < FIRST_DATA_CHUNK) | (new % stride == 1))

    @cached_property
    def beyond_origin(self) -> Slots:
        """R3: the origin has no such chunk."""
        if self.origin_chunks is None:
            return _NONE
        return _where(self.store.old >= self.origin_chunks)

    @cached_property
    def misread(self) -> Slots:
        """R7: the number of the data chunk has bits that the kernel takes for a run length."""
        return _where(self.store.new > _MAX_CHUNK)

    @cached_property
    def conflicting(self) -> Slots:
        """R4: later records for a chunk of the origin that an earlier one maps differently."""
        return self._later_olds[~self._is_repetition]

    @cached_property
    def repeated(self) -> Slots:
        """R5: later records that say again what an earlier one says."""
        return self._later_olds[self._is_repetition]

    @cached_property
    def shared(self) -> Slots:
        """R6: later records whose data chunk an earlier record for another chunk has too."""
        later, firsts = _later_of_equals(self.store.new)
        return np.extract(self.store.old[later] != self.store.old[firsts], later)

    @cached_property
    def leaked_chunks(self) -> int:
        """R8: data chunks below the next free one that no record names (kernels before 3.13)."""
        if self.store.is_canonical:
            return 0
        new, stride = self.store.new, self.store.geometry.stride
        limit = min(self.store.next_free(), self.store.chunks)
        used = new[(new >= FIRST_DATA_CHUNK) & (new < limit) & (new % stride != 1)]
        return self.store.geometry.data_chunks_in(limit) - len(np.unique(used))

    @cached_property
    def _later_olds(self) -> Slots:
        return _later_of_equals(self.store.old)[0]

    @cached_property
    def _is_repetition(self) -> NDArray[np.bool_]:
        later, firsts = _later_of_equals(self.store.old)
        return np.asarray(self.store.new[later] == self.store.new[firsts])


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule for records: what is said when slots break it, and what to do with them.

    ``what`` is said of several entries of the overlay's list.
    """

    code: str
    slots: Callable[[RecordFaults], Slots]
    what: str
    repair: str = "drop them"
    severity: Severity = Severity.FATAL

    def sentence(self, slots: Slots) -> str:
        """What is wrong, with how many there are and which is the first."""
        many = "1 entry" if len(slots) == 1 else f"{len(slots)} entries"
        first = "number" if len(slots) == 1 else "the first number"
        return f"{many} of its list ({first} {slots[0]}): {self.what}"


RULES = (
    Rule(
        "R1",
        lambda faults: faults.beyond_store,
        "what they keep would lie behind the end of the file; the kernel fails to read it (EIO)"
        " and can keep nothing new",
    ),
    Rule(
        "R2",
        lambda faults: faults.on_metadata,
        "what they keep would lie where the list itself lies; the kernel shows the list as the"
        " content of files and may overwrite it",
    ),
    Rule(
        "R3",
        lambda faults: faults.beyond_origin,
        "they are for parts that the root does not have; the kernel never reads them, but a"
        " merge fails on them",
        severity=Severity.WARNING,
    ),
    Rule(
        "R4",
        lambda faults: faults.conflicting,
        "they keep a part of the system a second time, with another content; Linux 6.1 shows the"
        " first and Linux 6.12 the last",
        "choose with --keep first or --keep last",
    ),
    Rule(
        "R5",
        lambda faults: faults.repeated,
        "they say again what an earlier one says, which is harmless",
        severity=Severity.WARNING,
    ),
    Rule(
        "R6",
        lambda faults: faults.shared,
        "they share what they keep with an earlier one; a write to one shows in both, and one"
        " of the two shows what is not its own",
        "give each a copy of its own, then look at both files",
    ),
    Rule(
        "R7",
        lambda faults: faults.misread,
        "they name a place that no file can have; the kernel takes a part of it for a length and"
        " reads something else",
    ),
)


def _where(condition: NDArray[np.bool_]) -> Slots:
    return np.flatnonzero(condition)


def _later_of_equals(column: NDArray[np.unsignedinteger]) -> tuple[Slots, Slots]:
    """Slots whose value an earlier slot has, ascending, and for each the first such slot."""
    if not _has_equals(column):
        return _NONE, _NONE
    order = np.argsort(column, kind="stable")
    values = column[order]
    starts = np.concatenate(([True], values[1:] != values[:-1]))
    firsts = order[np.flatnonzero(starts)[np.cumsum(starts) - 1]]
    later = np.sort(order[~starts])
    first_of = np.empty(len(column), np.int64)
    first_of[order] = firsts
    return later, first_of[later]


def _has_equals(column: NDArray[np.unsignedinteger]) -> bool:
    """The usual answer, no, for one sorted copy instead of an index three times its size."""
    values = np.sort(column)
    return bool((values[1:] == values[:-1]).any())
