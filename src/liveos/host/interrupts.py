# SPDX-License-Identifier: Apache-2.0
"""SIGINT and SIGTERM as an exception, so that what was begun is put in order on the way out."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from liveos.errors import InterruptedByUserError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def as_exceptions() -> Iterator[None]:
    """Raise `InterruptedByUserError` in the body when a signal asks to end.

    Only the first signal raises: a second one must not stop the cleaning up. Elsewhere than in
    the main thread signals cannot be handled, and nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _raise) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _frame: FrameType | None) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise InterruptedByUserError(f"interrupted by {signal.Signals(number).name}")
