# SPDX-License-Identifier: Apache-2.0
"""Progress on a terminal: one redrawn line below the finished steps that took time."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from liveos.cli.text import duration, finding_line, printable
from liveos.report import Finding
from liveos.sizes import format_size

_WORTH_A_LINE = 0.5
"""Seconds; of a step that was quicker nothing stays on the screen."""


@contextmanager
def bar_reporter(
    console: Console, clock: Callable[[], float] = time.monotonic
) -> Iterator["BarReporter"]:
    """A reporter whose line is gone when the operation is over; steps that took time stay."""
    with bar_reporters(console, [""], clock) as (only,):
        yield only


@contextmanager
def bar_reporters(
    console: Console, names: Sequence[str], clock: Callable[[], float] = time.monotonic
) -> Iterator[list["BarReporter"]]:
    """The same for several operations at once, a line for each."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False, table_column=_one_line(2)),
        BarColumn(bar_width=None, table_column=_one_line(1)),
        _Amount(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(compact=True),
    )
    with Progress(
        *columns, console=console, expand=True, transient=True, get_time=clock
    ) as progress:
        bars = [BarReporter(progress, f"{printable(name)}: " if name else "") for name in names]
        yield bars
        for bar in bars:
            bar.finish()


def _one_line(ratio: int) -> Column:
    return Column(ratio=ratio, no_wrap=True, overflow="ellipsis")


class BarReporter:
    """Bar, bytes, rate and remaining time of the step that runs."""

    def __init__(self, progress: Progress, prefix: str = "") -> None:
        self._progress = progress
        self._prefix = prefix
        self._task: TaskID | None = None

    def step(self, title: str, number: int, of: int) -> None:
        self.finish()
        description = f"{self._prefix}[{number}/{of}] {printable(title)}"
        self._task = self._progress.add_task(description, total=None)

    def progress(self, done: int, total: int | None) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total)

    def finding(self, finding: Finding) -> None:
        self._progress.console.print(Text(self._prefix + finding_line(finding)))

    def finish(self) -> None:
        """The bar of a step that is over becomes a plain line, so that bars do not pile up."""
        if self._task is not None:
            task = next(each for each in self._progress.tasks if each.id == self._task)
            seconds = task.elapsed or 0
            if seconds >= _WORTH_A_LINE:
                line = f"{task.description}  {_moved(task)}{duration(seconds)}"
                self._progress.console.print(Text(line))
            self._progress.remove_task(self._task)
            self._task = None


def _moved(task: Task) -> str:
    return f"{format_size(int(task.completed))} in " if task.completed else ""


class _Amount(ProgressColumn):
    """Bytes and bytes per second in binary units; nothing for a step that counts none."""

    def render(self, task: Task) -> Text:
        if not task.completed:
            return Text("")
        whole = f" of {format_size(int(task.total))}" if task.total else ""
        rate = f"  {format_size(int(task.speed))}/s" if task.speed else ""
        return Text(f"{format_size(int(task.completed))}{whole}{rate}", style="cyan")
