# SPDX-License-Identifier: Apache-2.0
"""Files that have no name, take memory only where something was written, and go with the process.

Programs that we start reach them through /proc, as the same user; nobody else does, and nothing
of them is left on a disk (memfd_create(2)).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from liveos.host import disk


@dataclass(frozen=True, slots=True)
class MemoryFile:
    """An open file in memory."""

    descriptor: int

    @property
    def path(self) -> Path:
        """How a program that this process starts may open it."""
        return Path(f"/proc/{os.getpid()}/fd/{self.descriptor}")


@contextmanager
def memory_file(purpose: str, content: bytes = b"", *, size: int = 0) -> Iterator[MemoryFile]:
    """A file with this content, and zeros behind it up to ``size``."""
    descriptor = os.memfd_create(purpose, os.MFD_CLOEXEC)
    try:
        disk.write_all(descriptor, 0, content)
        os.ftruncate(descriptor, max(size, len(content)))
        yield MemoryFile(descriptor)
    finally:
        os.close(descriptor)
