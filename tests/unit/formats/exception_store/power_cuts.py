# SPDX-License-Identifier: Apache-2.0
"""Devices that record every write and barrier, and what a power cut may leave of them.

Until a device is flushed, any of its sectors that were written may have the new bytes or the old
ones, whatever the order of the writes. Devices that share a tape share its order.
"""

import random
from dataclasses import dataclass, field

from liveos.formats.binary import TruncatedError

SECTOR = 512


@dataclass
class Tape:
    """(device, offset, bytes) of each write in order; bytes None is the device's flush."""

    events: list[tuple["Device", int, bytes | None]] = field(default_factory=list)


class Device:
    """Bytes of a fixed size that can be read and written."""

    def __init__(self, content: bytes | bytearray, tape: Tape | None = None) -> None:
        self.start = bytes(content)
        self.data = bytearray(content)
        self.tape = tape or Tape()

    @property
    def size(self) -> int:
        return len(self.data)

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise TruncatedError(f"{offset}+{length} of {self.size}")
        return bytes(self.data[offset : offset + length])

    def write_at(self, offset: int, data: bytes) -> None:
        assert 0 <= offset <= offset + len(data) <= self.size
        self.data[offset : offset + len(data)] = data
        self.tape.events.append((self, offset, bytes(data)))

    def flush(self) -> None:
        self.tape.events.append((self, 0, None))

    def cut(self, position: int, dice: random.Random, luck: float) -> bytearray:
        """What is left when the power goes after ``position`` events of the tape.

        ``luck`` is the share of unflushed sectors that arrive.
        """
        events = [
            (offset, data) for device, offset, data in self.tape.events[:position] if device is self
        ]
        flushes = [number for number, (_, data) in enumerate(events) if data is None]
        durable = flushes[-1] if flushes else 0
        left = bytearray(self.start)
        for number, (offset, data) in enumerate(events):
            for place in range(0, len(data or b""), SECTOR):
                if number < durable or dice.random() < luck:
                    assert data is not None
                    piece = data[place : place + SECTOR]
                    left[offset + place : offset + place + len(piece)] = piece
        return left


def luck(dice: random.Random) -> float:
    """Nothing unflushed arrives, everything does, or some."""
    return dice.choice([0.0, 0.3, 0.7, 1.0])
