# SPDX-License-Identifier: Apache-2.0
"""The faces of progress, with a clock that the test moves."""

import io
import json

import pytest
from rich.console import Console

from liveos.cli.bar import bar_reporter
from liveos.cli.output import Output, ProgressStyle
from liveos.cli.progress import JsonReporter, LineReporter, QuietReporter, reporter
from liveos.cli.text import duration
from liveos.report import Finding, Reporter, Severity

GIB = 1 << 30
WARNING = Finding("no-sum", Severity.WARNING, "no sum is implanted", "implant one")
NOTE = Finding("note", Severity.INFO, "all is well")


class FakeClock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_lines_are_throttled_and_their_rate_is_true() -> None:
    stream, clock = io.StringIO(), FakeClock()
    lines = LineReporter(stream, clock)
    lines.step("Copy squashfs.img", 2, 7)
    for second in range(11):
        clock.now = 100 + second
        lines.progress(second * GIB // 8, 2 * GIB)
    assert stream.getvalue().splitlines() == [
        "[2/7] Copy squashfs.img",
        "    640 MiB of 2 GiB, 31 %, 128 MiB/s, 11 s left",
        "    1.2 GiB of 2 GiB, 62 %, 128 MiB/s, 6 s left",
    ]


def test_no_remaining_time_is_claimed_for_an_unknown_total() -> None:
    stream, clock = io.StringIO(), FakeClock()
    lines = LineReporter(stream, clock)
    lines.step("Read", 1, 1)
    clock.now += 6
    lines.progress(6 * GIB, None)
    assert stream.getvalue().splitlines()[1:] == ["    6 GiB, 1 GiB/s"]


def test_json_lines_say_every_event_and_always_the_last_byte() -> None:
    stream, clock = io.StringIO(), FakeClock()
    lines = JsonReporter(stream, clock)
    lines.step("Copy", 1, 1)
    lines.progress(1, 100)
    lines.progress(100, 100)
    lines.finding(WARNING)
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"event": "step", "title": "Copy", "number": 1, "of": 1},
        {"event": "progress", "done": 100, "total": 100},
        {
            "event": "finding",
            "code": "no-sum",
            "severity": "warning",
            "message": "no sum is implanted",
            "repair": "implant one",
        },
    ]


def test_quiet_says_warnings_only() -> None:
    stream = io.StringIO()
    quiet = QuietReporter(stream)
    quiet.step("Copy", 1, 1)
    quiet.progress(1, 1)
    quiet.finding(NOTE)
    quiet.finding(WARNING)
    assert stream.getvalue() == "warning: no sum is implanted (implant one)\n"


def test_the_bar_leaves_behind_what_took_time_and_findings() -> None:
    stream, clock = io.StringIO(), FakeClock()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    with bar_reporter(console, clock) as bar:
        bar.step("Copy [bold]", 1, 2)
        bar.progress(GIB, 2 * GIB)
        bar.finding(NOTE)
        clock.now += 3
        bar.step("Rename", 2, 2)
    text = stream.getvalue()
    assert "[1/2] Copy [bold]  1 GiB in 3 s" in text
    assert "note: all is well" in text
    assert "[2/2] Rename  0 s" not in text


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        (Output(), LineReporter),
        (Output(progress=ProgressStyle.LINES), LineReporter),
        (Output(progress=ProgressStyle.JSON), JsonReporter),
        (Output(progress=ProgressStyle.JSON, quiet=True), JsonReporter),
        (Output(quiet=True), QuietReporter),
    ],
)
def test_the_options_choose_the_face(output: Output, kind: type[Reporter]) -> None:
    with reporter(output, io.StringIO()) as chosen:
        assert isinstance(chosen, kind)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
