# SPDX-License-Identifier: Apache-2.0
"""The map of an overlay in a terminal: what fills it, and where in the root that lies."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

from liveos.cli.overlay.parts import FREE, LOOKS, Look, Share, level, shares
from liveos.medium.overlay.map import Analysis, Part
from liveos.medium.overlay.status import OverlayStatus
from liveos.sizes import format_size

_WIDEST = 120
_ROWS = 16
_LEVELS = "▁▂▃▄▅▆▇█"
_UNCHANGED = (Part.EMPTY, Part.BASE)
_CHANGED = tuple(part for part in Part if part not in _UNCHANGED)


class FillView:
    """What fills the store: a bar of its parts, each as wide as it is large, and their names."""

    def __init__(self, status: OverlayStatus, analysis: Analysis) -> None:
        self._shares = shares(status, analysis)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        colours = _has_colours(console)
        yield Text("\nWhat fills the overlay", "bold")
        yield _bar(self._shares, _width(options), colours=colours)
        for share in self._shares:
            yield Text.assemble(
                (_ink(share.look, colours=colours) * 2, _style(share.look, colours=colours)),
                f" {format_size(share.size):>9}  {share.look.name}",
                (", which a compaction gives back", "bold") if share.gained else "",
            )


class MapView:
    """Where the changes lie, from the root's first byte at the top left to its last one.

    With colours, a place is as high as much of it is changed; without them it is a letter, which
    is a capital where half of the place or more is changed.
    """

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        colours, width = _has_colours(console), _width(options)
        cells = self._analysis.cells(width * _ROWS)
        whole = len(self._analysis.parts) * self._analysis.chunk_size
        yield Text(f"\nWhere that lies in the root of {format_size(whole)}", "bold")
        for start in range(0, len(cells), width):
            line = Text.assemble(
                *(_cell(cell, colours=colours) for cell in cells[start : start + width])
            )
            line.rstrip()
            yield line
        yield from _key(self._analysis, whole // len(cells), colours=colours)


def _has_colours(console: Console) -> bool:
    return console.color_system is not None and not console.no_color


def _width(options: ConsoleOptions) -> int:
    return max(20, min(_WIDEST, options.max_width))


def _bar(parts: Sequence[Share], width: int, *, colours: bool) -> Text:
    bar = Text()
    columns = widths([share.size for share in parts], width)
    for share, many in zip(parts, columns, strict=True):
        bar.append(_ink(share.look, colours=colours) * many, _style(share.look, colours=colours))
    return bar


def widths(sizes: Sequence[int], width: int) -> list[int]:
    """Columns in proportion to sizes, one at least for each; they add up to ``width``."""
    whole = sum(sizes) or 1
    columns = [max(1, width * size // whole) for size in sizes]
    if columns:
        columns[columns.index(max(columns))] += width - sum(columns)
    return columns


def _ink(look: Look, *, colours: bool) -> str:
    if look is FREE:
        return "░"
    return "█" if colours else look.letter


def _style(look: Look, *, colours: bool) -> Style:
    if look is FREE:
        return Style(dim=True)
    return Style(color=look.colour) if colours else Style()


def _cell(cell: NDArray[np.int64], *, colours: bool) -> tuple[str, Style]:
    """One character for a stretch of the root: the most frequent change in it."""
    changed = int(cell[list(_CHANGED)].sum())
    if not changed:
        is_base = cell[Part.BASE] >= cell[Part.EMPTY]
        return (_base(colours=colours) if is_base else " "), Style(dim=True)
    look = LOOKS[max(_CHANGED, key=lambda part: int(cell[part]))]
    whole = int(cell.sum())
    if colours:
        return _LEVELS[level(changed, whole, len(_LEVELS)) - 1], Style(color=look.colour)
    return (look.letter if 2 * changed >= whole else look.letter.lower()), Style()


def _base(*, colours: bool) -> str:
    return "·" if colours else LOOKS[Part.BASE].letter


def _key(analysis: Analysis, place: int, *, colours: bool) -> Iterator[Text]:
    amount = "the higher, the more of it is" if colours else "a capital: half of it or more is"
    base, empty = analysis.size(Part.BASE), analysis.size(Part.EMPTY)
    yield Text(f"a place is {format_size(place)}; {amount} changed", "dim")
    yield Text(
        f"{_base(colours=colours)} unchanged: {format_size(base)};"
        f" blank: unchanged and empty, {format_size(empty)}",
        "dim",
    )
    waiting = analysis.size(Part.REPLAYED)
    if waiting:
        look = LOOKS[Part.REPLAYED]
        yield Text(f"{look.letter} {look.name}: {format_size(waiting)} come on top", "dim")
