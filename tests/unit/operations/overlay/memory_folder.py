# SPDX-License-Identifier: Apache-2.0
"""A directory with one file in memory, whose changes can be cut off by a power cut."""

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from liveos.host.folders.folder import StoredFile
from tests.unit.formats.exception_store.power_cuts import Device, luck


@dataclass
class MemoryFolder:
    """As `liveos.host.folders.folder.Folder`, as far as one existing file needs it."""

    device: Device
    most: int | None = None
    room: int = 1 << 50
    resized: list[tuple[bytes, int]] = field(default_factory=list)

    def __str__(self) -> str:
        return "memory:"

    @contextmanager
    def open(self, name: str, *, writable: bool = False) -> Iterator[StoredFile]:
        yield self.device

    def resize(self, name: str, size: int) -> None:
        """Durable on return; what was not flushed before may still be lost with the size new."""
        self.resized.append((bytes(self.device.data), size))
        data = self.device.data
        del data[size:]
        data.extend(bytes(size - len(data)))

    def hold(self, name: str) -> AbstractContextManager[None]:
        return nullcontext()

    def free(self) -> int:
        return self.room

    def limit(self) -> int | None:
        return self.most

    def create(self, name: str, size: int, *, room: int | None = None) -> None:
        raise NotImplementedError

    def replace(self, new: str, old: str, keep: str | None = None) -> None:
        raise NotImplementedError

    def remove(self, name: str) -> None:
        raise NotImplementedError

    def names(self) -> tuple[str, ...]:
        return ("overlay",)


def after_a_cut(folder: MemoryFolder, dice: random.Random) -> bytes:
    """What may be left of the file when the power went at any moment of what was done.

    While it grows or shrinks it may have any size between (FAT gets its clusters in turn).
    """
    device = folder.device
    if not folder.resized or dice.random() < 0.5:
        return bytes(device.cut(dice.randint(0, len(device.tape.events)), dice, luck(dice)))
    _, size = folder.resized[-1]
    left = device.cut(len(device.tape.events), dice, luck(dice))
    between = dice.choice([len(left), size, dice.randint(*sorted((len(left), size)))])
    return bytes(left[:between].ljust(between, b"\0"))
