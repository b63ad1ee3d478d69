# SPDX-License-Identifier: Apache-2.0
"""How small and how large a store can usefully be (reference 3.3). Sizes are whole chunks."""

from liveos.formats.exception_store import ExceptionStore
from liveos.medium.overlay.forecast import changed_chunks


def least_chunks(store: ExceptionStore) -> int:
    """The smallest file that loads with every record of the list and all of their data.

    It holds the highest data chunk, and the area in which the list ends (fact 9). It may be a
    size that dies when it fills.
    """
    geometry = store.geometry
    highest = int(store.new.max()) + 1 if store.count else 0
    return max(highest, geometry.area_chunk(store.count // geometry.slots_per_area) + 1)


def coverage_chunks(store: ExceptionStore, origin_size: int) -> int:
    """The smallest file that never fills: every chunk of the origin can be changed.

    Chunks that an old kernel has leaked are never used again, so they come on top.
    """
    geometry = store.geometry
    origin_chunks = -(-origin_size // geometry.chunk_size)
    taken = geometry.data_chunks_in(store.next_free())
    return geometry.chunks_for(taken + origin_chunks - changed_chunks(store, origin_chunks))
