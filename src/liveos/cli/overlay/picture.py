# SPDX-License-Identifier: Apache-2.0
"""The picture of an overlay: what fills it, and where in the root that lies.

Areas are true to what they stand for: the bar is the store, and each cell of the map is a
stretch of the root, filled from below by as much of it as is changed.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liveos.cli.overlay.drawing import Box, Drawing, Words
from liveos.cli.overlay.parts import FREE, LOOKS, Look, Share, shares
from liveos.cli.overlay.status_view import forecast_words, percent
from liveos.medium.overlay.map import STORED, Analysis, Part
from liveos.medium.overlay.status import OverlayStatus
from liveos.sizes import format_size

_WIDTH = 1000
_LEFT, _RIGHT = 72, 968
_BAR_TOP, _BAR_HEIGHT = 124, 34
_LEGEND_TOP = 216
_LINE = 24
_COLUMNS, _ROWS = 112, 28
_CELL_WIDTH, _CELL_HEIGHT = 8, 12
_GAP = 1  # between rows, so that levels can be told apart
_THINNEST = 1.5  # of what is there but little, so that it can be seen
_LONGEST_NAME = 72
_LONGEST_LINE = 140
_CHANGED = (*STORED, Part.REPLAYED)
_NOT_STORED = (Part.REPLAYED, Part.BASE, Part.EMPTY)
_TONES = {FREE.name: "room", LOOKS[Part.BASE].name: "base", LOOKS[Part.EMPTY].name: "empty"}


def picture(status: OverlayStatus, analysis: Analysis) -> Drawing:
    """The whole drawing."""
    parts = shares(status, analysis)
    root = [Share(LOOKS[part], analysis.size(part)) for part in _NOT_STORED if analysis.size(part)]
    legend_end = _LEGEND_TOP + _LINE * -(-(len(parts) + len(root)) // 2)
    map_top = legend_end + 44
    map_end = map_top + _ROWS * _CELL_HEIGHT
    shapes = [
        *_head(status),
        *_bar(parts, analysis),
        *_legend((*parts, *root)),
        *_map(analysis, map_top),
        *_foot(status, analysis, map_end + 30),
    ]
    words = tuple(shape for shape in shapes if isinstance(shape, Words))
    boxes = tuple(shape for shape in shapes if isinstance(shape, Box))
    height = int(max(line.y for line in words)) + 24
    return Drawing(_WIDTH, height, f"{status.path}: what fills it", boxes, words)


def _head(status: OverlayStatus) -> Iterator[Words]:
    name = status.path.removeprefix("./")
    if len(name) > _LONGEST_NAME:
        name = f"...{name[-_LONGEST_NAME:]}"
    yield Words(_LEFT, 44, name, 22, bold=True)
    full = "" if status.fullness is None else f", {percent(status.fullness)} taken"
    store = f"snapshot overlay of {format_size(status.size or 0)}{full}"
    chunks = f"{status.exceptions or 0:,} chunks of {format_size(status.chunk_size or 0)} changed"
    yield Words(_LEFT, 70, f"{store}; {chunks}; {status.state}", 14, "muted")
    yield Words(_LEFT, _BAR_TOP - 12, "What fills the overlay", 15, bold=True)


@dataclass(frozen=True, slots=True)
class _Stretch:
    share: Share
    x: float
    width: float


def _stretches(parts: Sequence[Share]) -> Iterator[_Stretch]:
    """Each share of the bar; together they are as wide as the drawing has room for."""
    whole = sum(share.size for share in parts) or 1
    wide = [max(_THINNEST, (_RIGHT - _LEFT) * share.size / whole) for share in parts]
    shrink = (_RIGHT - _LEFT) / (sum(wide) or 1)
    x = float(_LEFT)
    for share, width in zip(parts, wide, strict=True):
        yield _Stretch(share, x, width * shrink)
        x += width * shrink


def _bar(parts: Sequence[Share], analysis: Analysis) -> Iterator[Box | Words]:
    yield Box(_LEFT - 1, _BAR_TOP - 1, _RIGHT - _LEFT + 2, _BAR_HEIGHT + 2, "edge")
    stretches = list(_stretches(parts))
    for piece in stretches:
        yield Box(piece.x, _BAR_TOP, piece.width, _BAR_HEIGHT, _tone(piece.share.look))
    gained = [piece for piece in stretches if piece.share.gained]
    if gained and analysis.gain:
        yield from _bracket(gained[0].x, gained[-1].x + gained[-1].width, analysis.gain)


def _bracket(left: float, right: float, gain: int) -> Iterator[Box | Words]:
    """What can be won back, said below what it is."""
    top = _BAR_TOP + _BAR_HEIGHT + 6
    yield Box(left, top, right - left, 2, "ink")
    yield Box(left, top - 4, 2, 5, "ink")
    yield Box(right - 2, top - 4, 2, 5, "ink")
    middle = min(max((left + right) / 2, _LEFT + 130), _RIGHT - 130)
    text = f"a compaction gives back {format_size(gain)}"
    yield Words(middle, top + 20, text, anchor="middle", bold=True)


def _tone(look: Look) -> str:
    return _TONES.get(look.name, look.colour)


def _legend(parts: Sequence[Share]) -> Iterator[Box | Words]:
    """Two columns, filled one after the other."""
    lines = -(-len(parts) // 2)
    for number, share in enumerate(parts):
        column, line = divmod(number, lines)
        x = _LEFT + column * (_RIGHT - _LEFT) / 2
        y = _LEGEND_TOP + line * _LINE
        yield Box(x, y - 12, 16, 16, "edge")
        yield Box(x + 1, y - 11, 14, 14, _tone(share.look))
        yield Words(x + 96, y + 1, format_size(share.size), anchor="end", bold=True)
        yield Words(x + 108, y + 1, share.look.name)


def _map(analysis: Analysis, top: float) -> Iterator[Box | Words]:
    whole = len(analysis.parts) * analysis.chunk_size
    yield Words(
        _LEFT, top - 14, f"Where that lies in the root of {format_size(whole)}", 15, bold=True
    )
    cells = analysis.cells(_COLUMNS * _ROWS)
    for row in range(0, _ROWS + 1, _ROWS // 4):
        y = top + row * _CELL_HEIGHT + 4
        yield Words(_LEFT - 8, y, format_size(whole * row // _ROWS), 11, "muted", "end")
    yield from _runs(cells, top)
    levels = [
        box for number, cell in enumerate(cells) for box in _levels(cell, *_corner(number, top))
    ]
    yield from sorted(levels, key=lambda box: box.tone)


def _corner(number: int, top: float) -> tuple[float, float]:
    row, column = divmod(number, _COLUMNS)
    return _LEFT + column * _CELL_WIDTH, top + row * _CELL_HEIGHT


def _runs(cells: NDArray[np.int64], top: float) -> Iterator[Box]:
    """The ground of the cells: the root itself, in stretches of one colour."""
    is_base = cells[:, Part.BASE] >= cells[:, Part.EMPTY]
    starts = np.flatnonzero(np.diff(is_base, prepend=~is_base[:1])).tolist()
    edges = sorted({*starts, *range(0, len(cells), _COLUMNS), len(cells)})
    grounds = []
    for first, end in pairwise(edges):
        x, y = _corner(first, top)
        tone = "base" if is_base[first] else "empty"
        grounds.append(Box(x, y, (end - first) * _CELL_WIDTH, _CELL_HEIGHT - _GAP, tone))
    yield from sorted(grounds, key=lambda box: box.tone)


def _levels(cell: NDArray[np.int64], x: float, y: float) -> Iterator[Box]:
    """What is changed in a cell, each kind as high as there is much of it, from below."""
    height, whole = _CELL_HEIGHT - _GAP, int(cell.sum())
    bottom = y + height
    for part in _CHANGED:
        if cell[part]:
            high = min(bottom - y, max(_THINNEST, height * int(cell[part]) / whole))
            bottom -= high
            yield Box(x, bottom, _CELL_WIDTH, high, _tone(LOOKS[part]))


def _foot(status: OverlayStatus, analysis: Analysis, top: float) -> Iterator[Words]:
    lines = []
    if status.forecast is not None:
        lines += textwrap.wrap(f"What is coming: {forecast_words(status.forecast)}.", _LONGEST_LINE)
    if analysis.problem is not None:
        lines += textwrap.wrap(f"What is in use is not known: {analysis.problem}.", _LONGEST_LINE)
    if not lines:
        lines = [f"The overlay is {status.state}."]
    for number, line in enumerate(lines):
        yield Words(_LEFT, top + number * 20, line, 13, "muted")
