# SPDX-License-Identifier: Apache-2.0
"""The two forms in which EROFS keeps the index of a compressed file's logical clusters.

The full form has eight bytes for each. The compact form packs two into eight bytes or sixteen
into thirty-two, each pack with one block number from which those of all heads in it follow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from liveos.formats.binary import FormatError
from liveos.formats.erofs.records import ClusterIndex

ReadMetadata = Callable[[int, int], bytes]

_STORED_COUNT = 1 << 11  # in a distance back: it is the extent's stored blocks instead
_MOST_PACKED_BITS = 14
_MOST_2B_BITS = 12
_FULL_PADDING = 8  # between the map header and a full index


class ClusterType(IntEnum):
    """What a logical cluster is."""

    PLAIN = 0
    HEAD1 = 1
    NONHEAD = 2
    HEAD2 = 3


@dataclass(frozen=True, slots=True)
class Cluster:
    """A logical cluster.

    In a head, ``offset`` is where the extent begins within it, and ``block`` where it is stored.
    Elsewhere ``back`` and ``ahead`` count logical clusters to the heads before and after (0: not
    known); the first one after a head may have ``stored``, the blocks that the extent takes.
    """

    type: ClusterType
    offset: int = 0
    block: int = 0
    back: int = 0
    ahead: int = 0
    stored: int | None = None

    @property
    def is_head(self) -> bool:
        return self.type is not ClusterType.NONHEAD


class Index(Protocol):
    """The logical clusters of a file."""

    def cluster(self, number: int) -> Cluster:
        """One logical cluster; `FormatError` when it makes no sense."""

    def end(self, number: int) -> int:
        """The byte of the image after the entry (or its pack) of a logical cluster."""


class FullIndex:
    """Eight bytes for each logical cluster."""

    def __init__(self, metadata: ReadMetadata, start: int) -> None:
        self._metadata = metadata
        self._start = start + _FULL_PADDING

    def end(self, number: int) -> int:
        return self._start + (number + 1) * ClusterIndex.layout().size

    def cluster(self, number: int) -> Cluster:
        size = ClusterIndex.layout().size
        entry = ClusterIndex.unpack(self._metadata(self._start + number * size, size))
        kind = ClusterType(entry.advise & 3)
        if kind is not ClusterType.NONHEAD:
            return Cluster(kind, entry.offset, entry.block)
        back, ahead = entry.block & 0xFFFF, entry.block >> 16
        if back & _STORED_COUNT:
            return Cluster(kind, back=1, ahead=ahead, stored=back & ~_STORED_COUNT)
        return Cluster(kind, back=back, ahead=ahead)


@dataclass(frozen=True, slots=True)
class _Pack:
    """Where a pack lies, which clusters it holds, and how many bits each one has."""

    start: int
    first: int
    count: int
    bits: int

    @property
    def size(self) -> int:
        return self.count * self.bits // 8 + 4


class CompactIndex:
    """Packs of two clusters, or of sixteen where ``packed`` and alignment allow it."""

    def __init__(
        self,
        metadata: ReadMetadata,
        start: int,
        count: int,
        cluster_bits: int,
        *,
        packed: bool,
        big: bool,
    ) -> None:
        if cluster_bits > (_MOST_2B_BITS if packed else _MOST_PACKED_BITS):
            raise FormatError(f"a compact index of clusters of 2^{cluster_bits} bytes")
        self._metadata = metadata
        self._start = start
        self._big = big
        self._offset_bits = max(cluster_bits, 12)
        # Packs of sixteen begin at the first multiple of 32 bytes; before them, and after, of two.
        self._pairs = (-start % 32) // 4
        in_large_packs = count - self._pairs if packed else 0
        self._large = max(0, in_large_packs) // 16 * 16
        self._last: tuple[_Pack, list[Cluster]] | None = None

    def end(self, number: int) -> int:
        pack = self._pack_of(number)
        return pack.start + pack.size

    def cluster(self, number: int) -> Cluster:
        pack = self._pack_of(number)
        if self._last is None or self._last[0] != pack:
            self._last = pack, self._read(pack)
        return self._last[1][number - pack.first]

    def _pack_of(self, number: int) -> _Pack:
        if self._pairs <= number < self._pairs + self._large:
            first = self._pairs + (number - self._pairs) // 16 * 16
            start = self._start + 4 * self._pairs + 2 * (first - self._pairs)
            return _Pack(start, first, 16, 14)
        first, start = 0, self._start
        if number >= self._pairs + self._large:
            first = self._pairs + self._large
            start += 4 * self._pairs + 2 * self._large
        within = (number - first) // 2 * 2
        return _Pack(start + 4 * within, first + within, 2, 16)

    def _read(self, pack: _Pack) -> list[Cluster]:
        data = self._metadata(pack.start, pack.size)
        base = int.from_bytes(data[-4:], "little")
        stream = int.from_bytes(data[:-4], "little")
        mask = (1 << pack.bits) - 1
        words = [stream >> pack.bits * index & mask for index in range(pack.count)]
        kinds = [ClusterType(word >> self._offset_bits & 3) for word in words]
        values = [word & (1 << self._offset_bits) - 1 for word in words]
        return [
            self._non_head(kinds, values, index)
            if kind is ClusterType.NONHEAD
            else Cluster(kind, values[index], base + self._blocks_before(kinds, values, index))
            for index, kind in enumerate(kinds)
        ]

    def _blocks_before(self, kinds: list[ClusterType], values: list[int], index: int) -> int:
        """Blocks that the extents before a head take, counted from the pack's block number."""
        if not self._big:
            return 1 + sum(kind is not ClusterType.NONHEAD for kind in kinds[:index])
        blocks = 0
        for position in range(index):
            counted = kinds[position] is ClusterType.NONHEAD and values[position] & _STORED_COUNT
            following_counted = (
                position + 1 < index
                and kinds[position + 1] is ClusterType.NONHEAD
                and values[position + 1] & _STORED_COUNT
            )
            if counted:
                blocks += values[position] & ~_STORED_COUNT
            elif kinds[position] is not ClusterType.NONHEAD and not following_counted:
                blocks += 1
        return blocks

    def _non_head(self, kinds: list[ClusterType], values: list[int], index: int) -> Cluster:
        value, last = values[index], len(values) - 1
        ahead = _distance_ahead(kinds, values, index)
        if value & _STORED_COUNT:
            stored = value & ~_STORED_COUNT if self._big else None
            return Cluster(ClusterType.NONHEAD, back=1, ahead=ahead, stored=stored)
        if index < last:
            return Cluster(ClusterType.NONHEAD, back=value, ahead=ahead)
        # The last of a pack has the distance ahead; the one back follows from its neighbour.
        before = values[index - 1]
        if kinds[index - 1] is not ClusterType.NONHEAD:
            before = 0
        elif before & _STORED_COUNT:
            before = 1
        return Cluster(ClusterType.NONHEAD, back=before + 1, ahead=ahead)


def _distance_ahead(kinds: list[ClusterType], values: list[int], index: int) -> int:
    for position in range(index + 1, len(kinds)):
        if kinds[position] is not ClusterType.NONHEAD:
            return position - index
    last = len(kinds) - 1
    beyond = 1 if values[last] & _STORED_COUNT else max(values[last], 1)
    return last - index + beyond
