# SPDX-License-Identifier: Apache-2.0
"""A partition as a folder that has room for one file: itself."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from liveos.errors import UnsupportedError
from liveos.formats.binary import FormatError
from liveos.formats.gpt_change import resize_partition
from liveos.host import disk
from liveos.host.folders.folder import DescriptorFile, ReadOnlyFile, StoredFile, require_room
from liveos.host.hold import hold
from liveos.host.transfer import PIECE

_HEAD = 64 << 10
"""Bytes in which everything is by which a filesystem or a LUKS volume is known."""

_WIPED = 16 << 20
"""Bytes that are cleared when it is removed: the header of a LUKS volume, with its keys."""


@dataclass(frozen=True, slots=True)
class PartitionFolder:
    """``size`` bytes from ``offset`` of a file or device, whose partition ``number`` they are.

    The only name in there is ``partition NUMBER``, which is there when ``filled`` says so.
    ``room`` are the bytes behind it that it could have besides.
    """

    path: Path
    offset: int
    size: int
    number: int
    filled: bool
    room: int = 0

    @property
    def name(self) -> str:
        return f"partition {self.number}"

    def __str__(self) -> str:
        return f"{self.path}:"

    @contextmanager
    def open(self, _name: str, *, writable: bool = False) -> Iterator[StoredFile]:
        with disk.opened(self.path, os.O_RDWR if writable else os.O_RDONLY) as descriptor:
            file = DescriptorFile(descriptor, self.size, self.offset)
            yield file if writable else ReadOnlyFile(file)
            if writable:
                file.flush()

    @contextmanager
    def create(
        self,
        _name: str,
        size: int,
        *,
        room: int | None = None,  # noqa: ARG002 - for folders whose files are sparse
    ) -> Iterator[StoredFile]:
        """As `Folder.create`, but that it reads as what was there before until it is written.

        Its first bytes come last: until then nobody takes it for anything.
        """
        require_room(size, self.size, self)
        with disk.opened(self.path) as descriptor:
            file = DescriptorFile(descriptor, size, self.offset)
            headless = _Headless(file)
            yield headless
            headless.finish()

    def replace(self, _new: str, _old: str, _keep: str | None = None) -> None:
        raise _only_one()

    def publish(self, _new: str, _name: str) -> None:
        """Nothing: `create` has done it."""

    def resize(self, _name: str, size: int) -> None:
        """As `Folder.resize`, but that what is added reads as it does; this value stays as it was.

        :raises UnsupportedError: there is no GPT, or one in which this cannot be done safely.
        """
        with disk.opened(self.path) as descriptor:
            whole = DescriptorFile(descriptor, os.lseek(descriptor, 0, os.SEEK_END))
            try:
                resize_partition(whole, self.number, size)
            except FormatError as error:
                raise UnsupportedError(
                    f"{self}{self.name} cannot have another size: {error}",
                    hint="look at the partitions with sfdisk --verify; nothing was changed",
                ) from error

    def remove(self, _name: str) -> None:
        """Clear what it is known by, and the keys of an encrypted one."""
        with disk.opened(self.path) as descriptor:
            file = DescriptorFile(descriptor, self.size, self.offset)
            for offset in range(0, min(_WIPED, self.size), PIECE):
                file.write_at(offset, bytes(min(PIECE, self.size - offset)))
            file.flush()

    def make(self) -> None:
        """Nothing: it is there."""

    def names(self) -> tuple[str, ...]:
        return (self.name,) if self.filled else ()

    def free(self) -> int:
        return self.room if self.filled else self.size

    def limit(self) -> int | None:
        return None

    def hold(self, _name: str) -> AbstractContextManager[None]:
        """Exclusive use of the whole disk."""
        return hold(self.path)


def _only_one() -> UnsupportedError:
    return UnsupportedError("a partition has no room for a second file")


class _Headless:
    """A file whose first bytes are written last."""

    def __init__(self, file: StoredFile) -> None:
        self._file = file
        self._head = bytearray(min(_HEAD, file.size))
        self.size = file.size
        self._file.write_at(0, bytes(self._head))
        self._file.flush()

    def read_at(self, offset: int, length: int) -> bytes:
        data = bytearray(self._file.read_at(offset, length))
        if offset < len(self._head):
            known = self._head[offset : offset + length]
            data[: len(known)] = known
        return bytes(data)

    def write_at(self, offset: int, data: bytes) -> None:
        room = max(0, len(self._head) - offset)
        first, rest = data[:room], data[room:]
        if first:
            self._head[offset : offset + len(first)] = first
        if rest:
            self._file.write_at(offset + len(first), rest)

    def flush(self) -> None:
        self._file.flush()

    def finish(self) -> None:
        self._file.flush()
        self._file.write_at(0, bytes(self._head))
        self._file.flush()
