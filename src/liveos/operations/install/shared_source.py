# SPDX-License-Identifier: Apache-2.0
"""What the sticks that are made at once have in common: the source, read and checked once."""

import threading
from collections.abc import Hashable
from pathlib import Path

from liveos.errors import InterruptedByUserError
from liveos.host.relay import Opener, Relay
from liveos.operations.install.source_check import SourceCheck


class SharedSource:
    """One source for ``readers`` sticks, which are numbered from 0.

    Each stick takes the same files in the same order. One that has ended, well or not, leaves, and
    the others do not wait for it.
    """

    def __init__(self, readers: int = 1) -> None:
        self._readers = set(range(readers))
        self._relays: dict[Hashable, Relay] = {}
        self._check: SourceCheck | None = None
        self._lock = threading.Lock()
        self._is_stopped = False

    def check(self, source: Path, md5: str) -> SourceCheck:
        """The check of the source, which the first that asks begins."""
        with self._lock:
            if self._check is None:
                self._check = SourceCheck(source, md5)
            return self._check

    def relay(self, what: Hashable, opener: Opener, size: int) -> Relay:
        """The bytes of ``what``, which ``opener`` opens for the first that reads."""
        with self._lock:
            if what not in self._relays:
                self._relays[what] = Relay(opener, size, self._readers)
            return self._relays[what]

    def leave(self, reader: int) -> None:
        """This stick reads no more; with the last one everything is closed."""
        with self._lock:
            self._readers.discard(reader)
            is_last = not self._readers
            relays = tuple(self._relays.values())
        for relay in relays:
            relay.leave(reader)
        if is_last:
            self._close(relays)

    def stop(self) -> None:
        """Let every stick end as if a signal had come to it."""
        self._is_stopped = True
        for relay in tuple(self._relays.values()):
            for reader in tuple(self._readers):
                relay.leave(reader)

    def poll(self) -> None:
        """:raises InterruptedByUserError: it has been stopped."""
        if self._is_stopped:
            raise InterruptedByUserError("stopped")

    def _close(self, relays: tuple[Relay, ...]) -> None:
        if self._check is not None:
            self._check.end()
        for relay in relays:
            relay.close()
