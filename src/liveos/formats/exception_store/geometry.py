# SPDX-License-Identifier: Apache-2.0
"""Where things lie in a store: chunks, metadata areas, and the sizes that matter.

A store is a header chunk, then groups of one metadata area and as many data chunks as that area
has slots. Words used: a *slot* is a place for one record; the *stride* is the distance between
two areas, in chunks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveos.formats.exception_store.errors import ChunkSizeError

SECTOR = 512
RECORD = np.dtype([("old", "<u8"), ("new", "<u8")])
FIRST_DATA_CHUNK = 2
# The kernel keeps a chunk's size in bytes in an int and wants a power of two.
MAX_CHUNK_SECTORS = 1 << 21


@dataclass(frozen=True, slots=True)
class Geometry:
    """The layout that follows from a chunk size, in sectors of 512 bytes.

    :raises ChunkSizeError: the kernel would refuse this chunk size on any device.
    """

    chunk_sectors: int

    def __post_init__(self) -> None:
        sectors = self.chunk_sectors
        if not 0 < sectors <= MAX_CHUNK_SECTORS or sectors & (sectors - 1):
            raise ChunkSizeError(
                f"a chunk of {sectors} sectors: it must be a power of two up to {MAX_CHUNK_SECTORS}"
            )

    @property
    def chunk_size(self) -> int:
        """Bytes of a chunk."""
        return self.chunk_sectors * SECTOR

    @property
    def slots_per_area(self) -> int:
        """Records that one area holds."""
        return self.chunk_size // RECORD.itemsize

    @property
    def stride(self) -> int:
        """Chunks from one area to the next."""
        return self.slots_per_area + 1

    def chunks_in(self, size: int) -> int:
        """Whole chunks of a store file of ``size`` bytes; the kernel drops part of a sector."""
        return size // SECTOR // self.chunk_sectors

    def area_chunk(self, area: int) -> int:
        """The chunk that an area is."""
        return 1 + self.stride * area

    def is_metadata(self, chunk: int) -> bool:
        """Whether a chunk is the header or an area, so that no data may lie there."""
        return chunk == 0 or chunk % self.stride == 1

    def areas_in(self, chunks: int) -> int:
        """Areas that lie wholly within the first ``chunks`` chunks."""
        return 0 if chunks < FIRST_DATA_CHUNK else (chunks - 2) // self.stride + 1

    def data_chunks_in(self, chunks: int) -> int:
        """Data chunks among the first ``chunks`` chunks: how many exceptions fit."""
        return max(0, chunks - 1 - self.areas_in(chunks))

    def free_chunks(self, next_free: int, chunks: int) -> int:
        """Allocations left until the store of ``chunks`` chunks has no chunk to give."""
        return max(0, self.data_chunks_in(chunks) - self.data_chunks_in(next_free))

    def chunks_for(self, records: int) -> int:
        """The least store that loads with that many records in canonical places.

        The area with the terminator counts: without it a load fails (fact 9 of the reference).
        """
        return FIRST_DATA_CHUNK + records + records // self.slots_per_area

    def canonical_chunk(self, slot: int) -> int:
        """Where the kernel (3.13 and later) puts the data of the record in ``slot``."""
        return FIRST_DATA_CHUNK + slot + slot // self.slots_per_area

    def canonical_chunks(self, records: int, first: int = 0) -> NDArray[np.unsignedinteger]:
        """``canonical_chunk`` of ``records`` slots from ``first`` on."""
        wide = self.chunks_for(first + records) > np.iinfo(np.uint32).max
        dtype = np.dtype(np.uint64 if wide else np.uint32)
        slots: NDArray[np.unsignedinteger] = np.arange(first, first + records, dtype=dtype)
        chunks: NDArray[np.unsignedinteger] = np.floor_divide(
            slots, self.slots_per_area, dtype=dtype
        )
        np.add(chunks, slots, out=chunks)
        np.add(chunks, FIRST_DATA_CHUNK, out=chunks)
        return chunks

    def is_boundary(self, chunks: int) -> bool:
        """Whether a store of this size ends just before an area.

        Such a store becomes ``Invalid`` when it fills, even with the option ``PO``: the kernel
        zeroes the next area before it commits a full one, and that write fails (fact 5).
        """
        return chunks > self.stride and chunks % self.stride == 1

    def off_boundary(self, chunks: int) -> int:
        """``chunks``, or one more where that size would be a boundary."""
        return chunks + 1 if self.is_boundary(chunks) else chunks
