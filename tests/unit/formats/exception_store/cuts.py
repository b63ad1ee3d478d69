# SPDX-License-Identifier: Apache-2.0
"""Power cuts for recorded writes: any prefix, any subset not yet flushed, torn sectors."""

from collections.abc import Callable

SECTOR = 512


class RecordingStore:
    """A store in memory that remembers every write and every barrier."""

    def __init__(self, content: bytes) -> None:
        self.start = content
        self.data = bytearray(content)
        self.log: list[tuple[int, bytes] | None] = []

    @property
    def size(self) -> int:
        return len(self.data)

    def read_at(self, offset: int, length: int) -> bytes:
        assert 0 <= offset <= offset + length <= len(self.data)
        return bytes(self.data[offset : offset + length])

    def write_at(self, offset: int, data: bytes) -> None:
        assert 0 <= offset <= offset + len(data) <= len(self.data)
        self.data[offset : offset + len(data)] = data
        self.log.append((offset, bytes(data)))

    def flush(self) -> None:
        self.log.append(None)

    def after_cut(self, position: int, survives: Callable[[], bool]) -> bytes:
        """The bytes after a cut when ``position`` entries of the log had been issued.

        What a barrier followed is there. Of what came after the last one, each sector is there
        or not, as ``survives`` answers.
        """
        device = bytearray(self.start)
        issued = self.log[:position]
        durable = max((index for index, entry in enumerate(issued) if entry is None), default=0)
        for index, entry in enumerate(issued):
            if entry is None:
                continue
            offset, written = entry
            end = offset + len(written)
            for sector in range(offset // SECTOR, -(-end // SECTOR)):
                low, high = max(offset, sector * SECTOR), min(end, (sector + 1) * SECTOR)
                if index < durable or survives():
                    device[low:high] = written[low - offset : high - offset]
        return bytes(device)
