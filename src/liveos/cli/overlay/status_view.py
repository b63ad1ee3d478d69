# SPDX-License-Identifier: Apache-2.0
"""The status of an overlay for people: a bar, the numbers, and what is coming in plain words."""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from liveos.cli.render import findings, size, words
from liveos.formats.exception_store import SECTOR
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.check import StoreState
from liveos.medium.overlay.forecast import Ending, Forecast
from liveos.medium.overlay.status import OverlayStatus
from liveos.sizes import counted, format_size

_NAMES = {
    PersistenceKind.SNAPSHOT: "snapshot store",
    PersistenceKind.DIRECTORY: "OverlayFS directory",
    PersistenceKind.IMAGE: "OverlayFS in an image file",
    PersistenceKind.DIRECT: "none: the root itself is written to",
}
_STATES = {
    StoreState.BLANK: ("blank: not used yet", "green"),
    StoreState.VALID: ("in order", "green"),
    StoreState.FULL: ("full", "bold red"),
    StoreState.INVALID: ("invalid: the kernel refuses every read and write", "bold red"),
    StoreState.DAMAGED: ("damaged", "bold red"),
}
_WIDEST_BAR = 60
_YELLOW, _RED = 0.75, 0.9


def status_view(status: OverlayStatus) -> Iterator[RenderableType]:
    """The parts of the view in order; what to do next stands last."""
    yield Text(words(status.path), "bold")
    if status.fullness is not None:
        yield Fullness(status.fullness)
    yield Rows(list(_rows(status)))
    yield from findings(status.warnings)


class Rows:
    """Names and values in two columns; a long value goes on below its own beginning."""

    def __init__(self, rows: list[tuple[str, str | Text]]) -> None:
        self._rows = [
            (name, Text(value) if isinstance(value, str) else value) for name, value in rows
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        indent = max(len(name) for name, _ in self._rows) + 2
        for name, value in self._rows:
            lines = value.wrap(console, max(20, options.max_width - indent))
            for number, line in enumerate(lines):
                line.rstrip()
                yield Text.assemble(("" if number else name).ljust(indent), line)


class Fullness:
    """A bar as wide as the terminal has room for, and the percentage behind it."""

    def __init__(self, part: float) -> None:
        self._part = part

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        label = f" {percent(self._part)} taken"
        width = max(10, min(_WIDEST_BAR, options.max_width - len(label)))
        style = "red" if self._part >= _RED else "yellow" if self._part >= _YELLOW else "green"
        done = round(self._part * width)
        # The smallest part and the smallest rest can be seen.
        done = min(max(done, self._part > 0), width - (self._part < 1))
        yield Text.assemble(("█" * done, style), ("░" * (width - done), "dim"), label)


def percent(part: float) -> str:
    """A part in whole percent; never 0 or 100 unless it is just that."""
    if 0 < part < 0.01:
        return "< 1 %"
    return f"{min(99, round(100 * part)) if part < 1 else 100} %"


def _rows(status: OverlayStatus) -> Iterator[tuple[str, str | Text]]:
    state, style = _STATES[status.state]
    yield "kind", _NAMES[status.kind]
    yield "state", Text(state, style)
    if status.read_only:
        yield "use", "read-only, unless another boot entry is chosen: what is new is lost"
    if status.status_line is not None:
        yield "dmsetup", status.status_line
    if status.size is not None:
        chunk = status.chunk_size
        in_chunks = f" in chunks of {format_size(chunk)}" if chunk else ""
        yield "size", f"{size(status.size)}{in_chunks}"
    yield from _store_rows(status)
    yield from _file_rows(status)
    if status.origin is not None:
        yield "root", words(status.origin)
    if status.forecast is not None:
        yield "forecast", forecast_words(status.forecast)


def _store_rows(status: OverlayStatus) -> Iterator[tuple[str, str]]:
    if status.usage is None or status.exceptions is None or status.chunk_size is None:
        return
    taken = size(status.exceptions * status.chunk_size)
    metadata = size(status.usage.metadata * SECTOR)
    yield "used", f"{taken} in {_chunks(status.exceptions, 'changed')}, {metadata} of metadata"
    if status.free_chunks is not None:
        yield "free", f"{size(status.free_size)}, for {_chunks(status.free_chunks, 'new')}"


def _file_rows(status: OverlayStatus) -> Iterator[tuple[str, str]]:
    held = status.contents
    if held is not None:
        directories = counted(held.directories, "directory", "directories")
        yield "holds", f"{size(held.size)} in {counted(held.files, 'file')}, {directories}"
        yield "removed", f"{counted(held.whiteouts, 'name')} of the image below"
        if held.opaque:
            replaced = counted(held.opaque, "directory", "directories")
            yield "replaced", f"{replaced} of the image below"
    if status.filesystem is not None:
        yield "filesystem", words(status.filesystem)
    if status.usage is None and status.free_size is not None:
        yield "free", size(status.free_size)


def forecast_words(coming: Forecast) -> str:
    """What is going to happen, as a sentence or two."""
    if coming.ending is Ending.NEVER:
        return "it never fills: there is room for every chunk of the root"
    when = f"with the change of {_chunks(coming.new_chunks, 'new')} it is full"
    if not coming.new_chunks:
        when = "it is full"
    if coming.ending is Ending.OVERFLOW:
        return (
            f"{when}; then every write fails and the root is read-only until it is restarted"
            " with a larger or a compacted overlay; what was written before stays"
        )
    return f"{when}; the change after that makes it invalid, and EVERY CHANGE IS LOST"


def _chunks(count: int, kind: str) -> str:
    return f"{count:,} {kind} chunk{'' if count == 1 else 's'}"
