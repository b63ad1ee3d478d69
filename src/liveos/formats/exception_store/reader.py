# SPDX-License-Identifier: Apache-2.0
"""Reading a store's list of exceptions: its metadata chunks and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store.geometry import FIRST_DATA_CHUNK, RECORD, SECTOR, Geometry
from liveos.formats.exception_store.header import Header, read_header
from liveos.formats.exception_store.kernel import LINUX_6_12, KernelRules

# 1 MiB of records at a time: large enough for numpy, small beside the result.
_PIECE = 1 << 16
_BLOCK_SIZE = 1 << 20
# 512 GiB of data at the chunk size of LiveOS; the list is then 1 GiB of memory.
MAX_EXCEPTIONS = 1 << 27
_NARROW = np.iinfo(np.uint32).max
_WRAPPING = np.iinfo(np.uint64).max


@dataclass(frozen=True, slots=True)
class Tail:
    """What lies behind the end of the list, in the area of the terminator.

    ``records`` are slots with a data chunk: the kernel ignores them now, but they come back to
    life once the gap before them is filled (fact 7). ``strays`` are empty slots that still name
    a chunk of the origin. ``first`` is the first slot with either, counted from the first area.
    """

    records: int = 0
    strays: int = 0
    first: int | None = None


@dataclass(frozen=True, eq=False)
class ExceptionStore:
    """A store's header and its exceptions in on-disk order.

    ``old`` and ``new`` are columns of unsigned integers, 32 bits wide where all values fit:
    exception ``k`` says that chunk ``old[k]`` of the origin lies in chunk ``new[k]`` of the
    store. Nothing about the values is checked, as in the kernel. ``terminated`` is false when
    the file ends before the list does; the kernel cannot load such a store.
    """

    header: Header
    size: int
    old: NDArray[np.unsignedinteger]
    new: NDArray[np.unsignedinteger]
    tail: Tail
    terminated: bool

    @cached_property
    def geometry(self) -> Geometry:
        """The layout by the header's chunk size."""
        return self.header.geometry()

    @property
    def count(self) -> int:
        """Exceptions in the list."""
        return len(self.new)

    @property
    def is_valid(self) -> bool:
        """Whether the header says that the store is alive."""
        return self.header.valid != 0

    @property
    def sectors(self) -> int:
        """Sectors that the kernel sees."""
        return self.size // SECTOR

    @property
    def chunks(self) -> int:
        """Whole chunks of the store."""
        return self.geometry.chunks_in(self.size)

    @property
    def metadata_chunks(self) -> int:
        """The header and the areas up to the one with the terminator."""
        return self.count // self.geometry.slots_per_area + 2

    def next_free(self, kernel: KernelRules = LINUX_6_12) -> int:
        """The chunk that a kernel that loads this store would allocate next."""
        chunk = _after_last(self.new)
        if kernel.skips_metadata and chunk % self.geometry.stride == 1:
            chunk += 1
        return chunk

    def free_chunks(self, kernel: KernelRules = LINUX_6_12) -> int:
        """Chunks of the origin that can still be changed for the first time."""
        return self.geometry.free_chunks(self.next_free(kernel), self.chunks)

    def dies_when_full(self, kernel: KernelRules = LINUX_6_12) -> bool:
        """Whether filling up makes the store ``Invalid``, even with the option ``PO``.

        That happens when the last area of the file fills, for the next one cannot be zeroed.
        """
        if not kernel.can_overflow:
            return True
        slots = self.geometry.areas_in(self.chunks) * self.geometry.slots_per_area
        return self.count + self.free_chunks(kernel) >= slots

    @cached_property
    def is_canonical(self) -> bool:
        """Whether all data lie where kernels since 3.13 put them (fact 3)."""
        # In pieces that stay in the processor's cache: of ten million records, most of the time.
        return all(map(self._is_canonical_piece, range(0, self.count, _PIECE)))

    def _is_canonical_piece(self, first: int) -> bool:
        piece = self.new[first : first + _PIECE]
        return np.array_equal(piece, self.geometry.canonical_chunks(len(piece), first))


def read_store(
    source: ByteSource, *, header: Header | None = None, max_exceptions: int = MAX_EXCEPTIONS
) -> ExceptionStore:
    """The store in ``source``, valid or not, by the list that the kernel would read.

    Costs 16 bytes read and 8 bytes kept per exception, whatever the size of the file.
    ``header`` stands in for one that is lost.

    :raises StoreError: the header is not one that the kernel loads.
    :raises FormatError: there are more than ``max_exceptions``.
    """
    header = header or read_header(source)
    geometry = header.geometry()
    scan = _Scan(geometry.slots_per_area, max_exceptions)
    for block in _metadata_blocks(source, geometry):
        if not scan.takes_more(block):
            break
    old, new = scan.columns()
    return ExceptionStore(header, source.size, old, new, scan.tail, scan.end is not None)


def count_exceptions(source: ByteSource) -> int:
    """How long the list of a store is; keeps nothing of it.

    :raises StoreError: the header is not one that the kernel loads.
    """
    count = 0
    for block in _metadata_blocks(source, read_header(source).geometry()):
        used = _length_of_list(block["new"])
        count += used
        if used < len(block):
            break
    return count


class _Scan:
    """The state between blocks of slots: columns so far, the end of the list, what follows it."""

    def __init__(self, slots_per_area: int, max_exceptions: int) -> None:
        self._slots_per_area = slots_per_area
        self._max_exceptions = max_exceptions
        self._olds: list[NDArray[np.unsignedinteger]] = []
        self._news: list[NDArray[np.unsignedinteger]] = []
        self._seen = 0
        self.end: int | None = None
        self.tail = Tail()

    def takes_more(self, block: NDArray[np.void]) -> bool:
        """Take the next slots in order; false when the area of the terminator is complete."""
        first_slot = self._seen
        self._seen += len(block)
        if self.end is None:
            used = _length_of_list(block["new"])
            self._keep(block[:used], first_slot + used)
            if used == len(block):
                return True
            self.end = first_slot + used
        area_end = (self.end // self._slots_per_area + 1) * self._slots_per_area
        start = max(self.end, first_slot)
        self._look_behind(block[start - first_slot : area_end - first_slot], start)
        return self._seen < area_end

    def columns(self) -> tuple[NDArray[np.unsignedinteger], NDArray[np.unsignedinteger]]:
        """The two columns; one after the other, so that only one is held twice."""
        old = _joined(self._olds)
        return old, _joined(self._news)

    def _keep(self, records: NDArray[np.void], count: int) -> None:
        if count > self._max_exceptions:
            raise FormatError(f"the store has more than {self._max_exceptions} exceptions")
        self._olds.append(_narrowed(records["old"]))
        self._news.append(_narrowed(records["new"]))

    def _look_behind(self, slots: NDArray[np.void], first_slot: int) -> None:
        alive = slots["new"] != 0
        stray = (slots["old"] != 0) & ~alive
        found = np.flatnonzero(alive | stray)
        first = first_slot + int(found[0]) if len(found) else None
        self.tail = Tail(
            self.tail.records + int(alive.sum()),
            self.tail.strays + int(stray.sum()),
            first if self.tail.first is None else self.tail.first,
        )


def _metadata_blocks(source: ByteSource, geometry: Geometry) -> Iterator[NDArray[np.void]]:
    """The slots of all areas that lie in the source, in order.

    Blocks grow from one piece to 1 MiB, so that the areas read in vain behind the end of the
    list are never more than those before it. An area larger than that comes in pieces.
    """
    piece_size = min(geometry.chunk_size, _BLOCK_SIZE)
    pieces_per_area = geometry.chunk_size // piece_size
    pieces = geometry.areas_in(geometry.chunks_in(source.size)) * pieces_per_area

    def piece_at(index: int) -> bytes:
        area, part = divmod(index, pieces_per_area)
        offset = geometry.area_chunk(area) * geometry.chunk_size + part * piece_size
        return source.read_at(offset, piece_size)

    done, many = 0, 1
    while done < pieces:
        stop = min(done + many, pieces)
        yield np.frombuffer(b"".join(map(piece_at, range(done, stop))), RECORD)
        done, many = stop, min(2 * many, _BLOCK_SIZE // piece_size)


def _length_of_list(new: NDArray[np.uint64]) -> int:
    """Slots before the first empty one; a slot is empty by its second word alone."""
    empty = new == 0
    first = int(empty.argmax()) if len(empty) else 0
    return first if len(empty) and empty[first] else len(new)


def _narrowed(column: NDArray[np.uint64]) -> NDArray[np.unsignedinteger]:
    fits = not len(column) or int(column.max()) <= _NARROW
    return column.astype(np.uint32 if fits else np.uint64)


def _joined(blocks: list[NDArray[np.unsignedinteger]]) -> NDArray[np.unsignedinteger]:
    joined = np.concatenate(blocks) if blocks else np.empty(0, np.uint32)
    blocks.clear()
    return joined


def _after_last(new: NDArray[np.unsignedinteger]) -> int:
    """One more than the highest chunk in use, with the kernel's 64-bit wrap-around."""
    lowest = FIRST_DATA_CHUNK
    if new.dtype == np.uint64:
        wraps = np.flatnonzero(new == _WRAPPING)
        if len(wraps):
            new, lowest = new[int(wraps[-1]) + 1 :], 0
    return max(lowest, int(new.max()) + 1) if len(new) else lowest
