# SPDX-License-Identifier: Apache-2.0
"""What will happen to a store as its system goes on writing (reference 1.4, 1.7 and fact 5)."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from liveos.formats.exception_store import (
    LINUX_6_12,
    ExceptionStore,
    Geometry,
    KernelRules,
)

# One byte each: beyond that, chunks are counted by sorting them.
_LARGEST_BITMAP = 1 << 26


class Ending(StrEnum):
    """How a store ends, with the option ``PO`` that dracut gives since 044."""

    NEVER = "never"
    """It has room for every chunk of the origin."""

    OVERFLOW = "overflow"
    """Writes fail until a restart; what was written before is kept."""

    INVALID = "invalid"
    """The kernel marks it dead, and the next start finds nothing."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The ending, and how many more chunks of the origin can be changed before it.

    ``unchanged`` chunks of the origin have not been changed yet; None when the origin is not
    known. Until then an ending that may never come is told as if it would.
    """

    ending: Ending
    new_chunks: int
    unchanged: int | None = None


def forecast(
    store: ExceptionStore, origin_size: int | None = None, kernel: KernelRules = LINUX_6_12
) -> Forecast:
    """What a store that loads and is valid is heading for; ``origin_size`` is in bytes."""
    left = None
    if origin_size is not None:
        chunks = -(-origin_size // store.geometry.chunk_size)
        left = chunks - changed_chunks(store, chunks)
    geometry, room = store.geometry, store.free_chunks(kernel)
    slots = geometry.areas_in(store.chunks) * geometry.slots_per_area
    if fills_last_area := store.count + room >= slots:
        room = max(0, slots - store.count - 1)  # the change that fills it is the one that kills
    return _forecast(kernel, room, left, fills_last_area=fills_last_area)


def forecast_blank(
    geometry: Geometry, size: int, origin_size: int | None = None, kernel: KernelRules = LINUX_6_12
) -> Forecast:
    """What a store of ``size`` bytes is heading for that the kernel has not begun yet."""
    chunks = geometry.chunks_in(size)
    left = None if origin_size is None else -(-origin_size // geometry.chunk_size)
    fills_last_area = geometry.is_boundary(chunks)
    room = geometry.data_chunks_in(chunks) - fills_last_area
    return _forecast(kernel, room, left, fills_last_area=fills_last_area)


def _forecast(
    kernel: KernelRules, room: int, left: int | None, *, fills_last_area: bool
) -> Forecast:
    if left is not None and left <= room:
        return Forecast(Ending.NEVER, left, left)
    dies = fills_last_area or not kernel.can_overflow
    return Forecast(Ending.INVALID if dies else Ending.OVERFLOW, room, left)


def changed_chunks(store: ExceptionStore, origin_chunks: int) -> int:
    """How many of the origin's chunks have a record; one with two records counts once."""
    old = store.old
    if not len(old):
        return 0
    if int(old.max()) >= origin_chunks:
        old = old[old < origin_chunks]
    if origin_chunks > _LARGEST_BITMAP:
        return len(np.unique(old))
    seen = np.zeros(origin_chunks, bool)
    seen[old] = True
    return int(np.count_nonzero(seen))


def has_duplicates(store: ExceptionStore) -> bool:
    """Whether two records are for one chunk of the origin."""
    span = int(store.old.max()) + 1 if store.count else 0
    return changed_chunks(store, span) != store.count
