# SPDX-License-Identifier: Apache-2.0
"""Large new files: the disk writes while more is made, so that the end has little to wait for."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from liveos.formats.binary import ByteStore

_WINDOW = 32 << 20


class WriteBehind:
    """An open file of the host, which is asked to write whenever much waits in memory.

    The kernel alone would begin when a tenth of the memory waits, or somebody calls for it. What
    becomes durable before `flush` is nobody's business: it may be so for any write.
    """

    def __init__(self, file: ByteStore, descriptor: int) -> None:
        self._file = file
        self._descriptor = descriptor
        self._waiting = 0
        self._sync: Future[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="write-behind")

    @property
    def size(self) -> int:
        return self._file.size

    def read_at(self, offset: int, length: int) -> bytes:
        return self._file.read_at(offset, length)

    def write_at(self, offset: int, data: bytes) -> None:
        self._file.write_at(offset, data)
        self._waiting += len(data)
        if self._waiting >= _WINDOW and (self._sync is None or self._sync.done()):
            self._take_result()
            self._sync = self._thread.submit(os.fdatasync, self._descriptor)
            self._waiting = 0

    def flush(self) -> None:
        self._take_result()
        self._file.flush()

    def _take_result(self) -> None:
        """An error is told once for each descriptor (fsync(2)): to the thread, and so here."""
        if self._sync is not None:
            self._sync.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)
        if error is None:
            self._take_result()
