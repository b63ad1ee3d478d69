# SPDX-License-Identifier: Apache-2.0
"""Bytes that are read once for several readers, each at its own pace within a window."""

import copy
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

from liveos.errors import InterruptedByUserError
from liveos.formats.binary import ByteSource
from liveos.host.sums import Summing, Sums
from liveos.host.transfer import PIECE

AHEAD = 16
"""Pieces of `PIECE` bytes by which the first reader may be ahead of the last one."""

Opener = Callable[[], AbstractContextManager[ByteSource]]


class Relay:
    """The first ``size`` bytes of a source, in order, for a set of readers.

    Whoever is first at a piece reads it for all; it is kept until the last reader has had it. So a
    quick reader waits for a slow one, and memory does not grow. The source is opened at the first
    piece.
    """

    def __init__(self, opener: Opener, size: int, readers: set[int]) -> None:
        self._opener = opener
        self._size = size
        self._positions = dict.fromkeys(readers, 0)
        self._pieces: deque[bytes] = deque()
        self._first = 0  # the number of the first piece that is kept
        self._reading = False
        self._failure: Exception | None = None
        self._summing = Summing()
        self._changed = threading.Condition()
        self._stack = ExitStack()
        self._source: ByteSource | None = None

    def pieces(self, reader: int) -> Iterator[bytes]:
        """All pieces, for one reader; what went wrong for one goes wrong for all.

        :raises InterruptedByUserError: this reader has been told to leave.
        """
        for index in range(-(-self._size // PIECE)):
            if self._is_mine_to_read(reader, index):
                self._read(index)
            yield self._take(reader, index)

    def sums(self) -> Sums:
        """Those of all bytes, when a reader has had them all."""
        return self._summing.sums

    def leave(self, reader: int) -> None:
        """Nobody waits for this reader any more."""
        with self._changed:
            self._positions.pop(reader, None)
            self._forget()
            self._changed.notify_all()

    def close(self) -> None:
        self._stack.close()

    def _is_mine_to_read(self, reader: int, index: int) -> bool:
        """Wait until the piece is here (no), or may be read (yes)."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_left(reader) or self._is_due(index))
            if self._has_left(reader):
                raise InterruptedByUserError("stopped")
            if self._failure is not None:
                raise copy.copy(self._failure)
            if self._is_here(index):
                return False
            self._reading = True
            return True

    def _has_left(self, reader: int) -> bool:
        return reader not in self._positions

    def _is_here(self, index: int) -> bool:
        return index < self._first + len(self._pieces)

    def _is_due(self, index: int) -> bool:
        if self._failure is not None or self._is_here(index):
            return True
        return not self._reading and index - min(self._positions.values()) < AHEAD

    def _read(self, index: int) -> None:
        """Outside of the lock, so that the others can take what is here."""
        data, failure = b"", None
        try:
            if self._source is None:
                self._source = self._stack.enter_context(self._opener())
            offset = index * PIECE
            data = self._source.read_at(offset, min(PIECE, self._size - offset))
            self._summing.update(data)
        except Exception as error:
            failure = error
            raise
        finally:
            with self._changed:
                self._reading = False
                self._failure = failure
                if data:
                    self._pieces.append(data)
                self._changed.notify_all()

    def _take(self, reader: int, index: int) -> bytes:
        with self._changed:
            if self._has_left(reader):
                raise InterruptedByUserError("stopped")
            data = self._pieces[index - self._first]
            self._positions[reader] = index + 1
            self._forget()
            self._changed.notify_all()
        return data

    def _forget(self) -> None:
        """Drop the pieces that everybody has had."""
        last = min(self._positions.values(), default=self._first + len(self._pieces))
        while self._pieces and self._first < last:
            self._pieces.popleft()
            self._first += 1
