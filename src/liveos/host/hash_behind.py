# SPDX-License-Identifier: Apache-2.0
"""A sum that is computed beside other work, so that copying waits for the disk alone."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor


class HashBehind:
    """SHA-256 of pieces in their order, each summed in a thread while the next one is fetched."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._summing: Future[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sum")

    def update(self, piece: bytes) -> None:
        """Take one more piece, when the last one has been summed: memory holds but these two."""
        self._wait()
        self._summing = self._thread.submit(self._digest.update, piece)

    def hexdigest(self) -> str:
        """The sum of all pieces so far, in hexadecimal."""
        self._wait()
        return self._digest.hexdigest()

    def close(self) -> None:
        """No piece follows."""
        self._thread.shutdown(wait=True)

    def _wait(self) -> None:
        if self._summing is not None:
            self._summing.result()
