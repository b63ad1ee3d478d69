# SPDX-License-Identifier: Apache-2.0
"""Faces of progress, all on standard error: a bar, lines for a log, JSON lines, or silence.

Rates and remaining times come from the bytes that the operation reports as arrived, and from
nothing else; while the total is not known, no remaining time is claimed.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from liveos.cli.output import Output, ProgressStyle
from liveos.cli.text import duration, finding_line, printable
from liveos.report import Finding, Reporter, Severity
from liveos.sizes import format_size

_LINE_SECONDS = 5.0
_JSON_SECONDS = 0.25

Clock = Callable[[], float]


@contextmanager
def reporter(output: Output, stream: TextIO | None = None) -> Iterator[Reporter]:
    """The reporter that fits the options and the stream, ready for one operation."""
    with reporters(output, [""], stream) as (only,):
        yield only


@contextmanager
def reporters(
    output: Output, names: Sequence[str], stream: TextIO | None = None
) -> Iterator[Sequence[Reporter]]:
    """One reporter for each of several operations at once; what each says begins with its name."""
    stream = stream or sys.stderr
    style = output.progress
    if output.quiet and style is not ProgressStyle.JSON:
        yield [QuietReporter(stream, name) for name in names]
    elif style is ProgressStyle.JSON:
        yield [JsonReporter(stream, name=name) for name in names]
    elif style is ProgressStyle.BAR or (style is ProgressStyle.AUTO and stream.isatty()):
        from liveos.cli.bar import bar_reporters

        with bar_reporters(output.console(stream), names) as bars:
            yield bars
    else:
        yield [LineReporter(stream, name=name) for name in names]


class QuietReporter:
    """Warnings and errors only."""

    def __init__(self, stream: TextIO, name: str = "") -> None:
        self._stream = stream
        self._prefix = prefix(name)

    def step(self, title: str, number: int, of: int) -> None:
        """Say nothing."""

    def progress(self, done: int, total: int | None) -> None:
        """Say nothing."""

    def finding(self, finding: Finding) -> None:
        if finding.severity is not Severity.INFO:
            _print_finding(finding, self._stream, self._prefix)


class LineReporter:
    """A line for each step, and now and then one for how far it is: for logs and pipes."""

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic, name: str = "") -> None:
        self._stream = stream
        self._pace = _Pace(_LINE_SECONDS, clock)
        self._prefix = prefix(name)

    def step(self, title: str, number: int, of: int) -> None:
        self._pace.restart()
        self._say(f"[{number}/{of}] {printable(title)}")

    def progress(self, done: int, total: int | None) -> None:
        if self._pace.is_due():
            self._say(f"    {_amount(done, total)}, {self._speed(done, total)}")

    def finding(self, finding: Finding) -> None:
        _print_finding(finding, self._stream, self._prefix)

    def _speed(self, done: int, total: int | None) -> str:
        rate = done / self._pace.seconds
        speed = f"{format_size(int(rate))}/s"
        if total is None or rate < 1:
            return speed
        return f"{speed}, {duration((total - done) / rate)} left"

    def _say(self, line: str) -> None:
        print(f"{self._prefix}{line}", file=self._stream, flush=True)


class JsonReporter:
    """One JSON object per line, for programs: events ``step``, ``progress`` and ``finding``.

    Of several operations at once each object names its ``target``.
    """

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic, name: str = "") -> None:
        self._stream = stream
        self._target = {"target": name} if name else {}
        self._pace = _Pace(_JSON_SECONDS, clock)

    def step(self, title: str, number: int, of: int) -> None:
        self._pace.restart()
        self._emit("step", title=title, number=number, of=of)

    def progress(self, done: int, total: int | None) -> None:
        if done == total or self._pace.is_due():
            self._emit("progress", done=done, total=total)

    def finding(self, finding: Finding) -> None:
        self._emit(
            "finding",
            code=finding.code,
            severity=finding.severity,
            message=finding.message,
            repair=finding.repair,
        )

    def _emit(self, event: str, **facts: object) -> None:
        print(json.dumps({"event": event, **self._target, **facts}), file=self._stream, flush=True)


class _Pace:
    """Keeps reports apart by a number of seconds, counted from the start of the step."""

    def __init__(self, apart: float, clock: Clock) -> None:
        self._apart = apart
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        self._started = self._last = self._clock()

    @property
    def seconds(self) -> float:
        """Since the step began; never zero."""
        return max(self._clock() - self._started, 1e-6)

    def is_due(self) -> bool:
        now = self._clock()
        if now - self._last < self._apart:
            return False
        self._last = now
        return True


def _amount(done: int, total: int | None) -> str:
    if not total:
        return format_size(done)
    return f"{format_size(done)} of {format_size(total)}, {done * 100 // total} %"


def prefix(name: str) -> str:
    """What stands before each line of one of several operations."""
    return f"{printable(name)}: " if name else ""


def _print_finding(finding: Finding, stream: TextIO, before: str) -> None:
    print(f"{before}{finding_line(finding)}", file=stream, flush=True)
