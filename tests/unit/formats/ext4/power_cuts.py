# SPDX-License-Identifier: Apache-2.0
"""A disk that remembers what was written to it, and what is left of that after a power cut."""

from collections.abc import Iterator
from random import Random

from liveos.formats.binary import ByteSource, MemorySource

SECTOR = 512


class CutDisk:
    """A byte source with some of its sectors replaced."""

    def __init__(self, source: ByteSource, sectors: dict[int, bytes]) -> None:
        self._source = source
        self.sectors = sectors

    @property
    def size(self) -> int:
        return self._source.size

    def read_at(self, offset: int, length: int) -> bytes:
        data = bytearray(self._source.read_at(offset, length))
        if length > SECTOR * len(self.sectors):
            places = [place for place in self.sectors if offset - SECTOR < place < offset + length]
        else:
            places = [*range(offset // SECTOR * SECTOR, offset + length, SECTOR)]
        for place in places:
            if place in self.sectors:
                first, last = max(place, offset), min(place + SECTOR, offset + length)
                part = self.sectors[place][first - place : last - place]
                data[first - offset : last - offset] = part
        return bytes(data)


class Disk(MemorySource):
    """Bytes in memory with a log of writes of whole sectors; None in it is a flush."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.log: list[tuple[int, bytes] | None] = []

    def write_at(self, offset: int, data: bytes) -> None:
        assert 0 <= offset <= offset + len(data) <= self.size
        assert not offset % SECTOR
        assert not len(data) % SECTOR
        self.log.append((offset, data))

    def flush(self) -> None:
        self.log.append(None)

    def now(self) -> CutDisk:
        """The disk with all that was written."""
        return self.after_cut(len(self.log), None)

    def durable(self, position: int) -> int:
        """How much of the log was sure to be there when ``position`` entries had been issued."""
        flushes = [index for index, entry in enumerate(self.log[:position]) if entry is None]
        return flushes[-1] + 1 if flushes else 0

    def after_cut(self, position: int, chance: Random | None) -> CutDisk:
        """The disk after a power cut when ``position`` entries of the log had been issued.

        What came after the last flush is there in sectors that ``chance`` picks; without it, all.
        """
        sectors = {}
        durable = self.durable(position)
        for index, entry in enumerate(self.log[:position]):
            if entry is None:
                continue
            offset, written = entry
            for place in range(0, len(written), SECTOR):
                if index < durable or chance is None or chance.random() < 0.5:
                    sectors[offset + place] = written[place : place + SECTOR]
        return CutDisk(self, sectors)

    def cuts(self, chance: Random, each: int) -> Iterator[tuple[int, CutDisk]]:
        """Power cuts everywhere: nothing, all, and ``each`` times some of the last writes kept."""
        for position in range(len(self.log) + 1):
            yield position, self.after_cut(position, None)
            durable = self.durable(position)
            if durable < position:
                yield position, self.after_cut(durable, None)
                for _ in range(each):
                    yield position, self.after_cut(position, chance)
