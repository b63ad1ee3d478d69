# SPDX-License-Identifier: Apache-2.0
"""Making a store empty."""

from liveos.formats.binary import ByteSink
from liveos.formats.exception_store import SECTOR, Geometry, create
from liveos.operations.steps.overlay import ResetStore


def reset_store(step: ResetStore) -> None:
    place = step.subject.place
    with place.hold(), place.open(writable=True) as store:
        empty(store, Geometry(step.chunk_sectors))


def empty(store: ByteSink, geometry: Geometry) -> None:
    """Make a store of whatever length an empty one; a cut leaves the old one or an empty one.

    The header goes first: it is one sector, which a disk writes or does not write, and the kernel
    makes a new store of a blank one. Clearing the first area first could, torn by a cut, leave
    records behind an early end of the list, which come back to life later (reference, fact 7).
    """
    store.write_at(0, bytes(SECTOR))
    store.flush()
    create(store, geometry)
