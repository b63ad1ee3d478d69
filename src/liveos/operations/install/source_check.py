# SPDX-License-Identifier: Apache-2.0
"""The source against the MD5 sum that is implanted in it: at once, or beside other work."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from liveos.errors import ProblemsFoundError, UnsupportedError
from liveos.formats.binary import FileSource
from liveos.formats.iso9660 import isomd5
from liveos.host.transfer import ReadAhead
from liveos.report import Reporter

_POLL_SECONDS = 0.1


class _StoppedError(Exception):
    """The check is not wanted any more."""


class SourceCheck:
    """A check that runs in a thread until it is ended, asked or awaited."""

    def __init__(self, source: Path, md5: str) -> None:
        self._source = source
        self._md5 = md5
        self._done = 0
        self._total: int | None = None
        self._stop = threading.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="check")
        self._verdict: Future[None] = self._thread.submit(self._check)

    def poll(self) -> None:
        """:raises ProblemsFoundError: it is known already that the source is damaged."""
        if self._verdict.done():
            self._verdict.result()

    def wait(self, reporter: Reporter, poll: Callable[[], None]) -> None:
        """Return when the source is known to be as its maker has summed it.

        ``poll`` is called now and then; what it raises ends the waiting.

        :raises ProblemsFoundError: it is not.
        """
        while not self._verdict.done():
            reporter.progress(self._done, self._total)
            poll()
            self._stop.wait(_POLL_SECONDS)
        self._verdict.result()

    def end(self) -> None:
        """Stop, whatever the result would be."""
        self._stop.set()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _check(self) -> None:
        with FileSource(self._source) as source:
            implanted = isomd5.read(source)
            if implanted is None or implanted.md5 != self._md5:
                raise UnsupportedError(f"{self._source} has changed since it was inspected")
            with ReadAhead(source) as ahead:
                result = isomd5.check(ahead, implanted, self._progress)
        if result.verdict is not isomd5.Verdict.PASSED:
            raise _damage(self._source, self._md5, result)

    def _progress(self, done: int, total: int) -> None:
        self._done, self._total = done, total
        if self._stop.is_set():
            raise _StoppedError


def _damage(source: Path, md5: str, result: isomd5.Check) -> ProblemsFoundError:
    hint = "download it again, or use --no-verify to install it as it is"
    if result.verdict is isomd5.Verdict.SHORTER:
        return ProblemsFoundError(
            f"{source} is damaged: it is shorter than its volume descriptor says", hint=hint
        )
    where = f" between bytes {result.damaged[0]} and {result.damaged[1]}" if result.damaged else ""
    return ProblemsFoundError(
        f"{source} is damaged{where}: it does not have its implanted MD5 sum {md5}", hint=hint
    )
