# SPDX-License-Identifier: Apache-2.0
"""The map of an overlay from made-up facts: amounts are true, and any name can be drawn."""

import io
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from liveos.cli.overlay.drawing import Box, Drawing, Words, png, svg
from liveos.cli.overlay.map_view import FillView, MapView, widths
from liveos.cli.overlay.parts import FREE, LISTS, LOOKS, level, shares
from liveos.cli.overlay.picture import picture
from liveos.formats.exception_store import Usage
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.check import StoreState
from liveos.medium.overlay.forecast import Ending, Forecast
from liveos.medium.overlay.map import Analysis, Part
from liveos.medium.overlay.status import OverlayStatus

CHUNK = 4096
MANY = {Part.BASE: 3000, Part.FILES: 500, Part.FREED: 1000, Part.EQUAL: 24, Part.EMPTY: 500}
STATUS = OverlayStatus(
    PersistenceKind.SNAPSHOT,
    "stick.img:/LiveOS/overlay-LIVE-0b1c2d3e",
    StoreState.VALID,
    size=2600 * CHUNK,
    free_size=1070 * CHUNK,
    free_chunks=1070,
    status_line="12240/20800 64",
    usage=Usage(12240, 20800, 64),
    chunk_sectors=8,
    exceptions=1524,
    forecast=Forecast(Ending.OVERFLOW, 1070),
)


def analysis_of(many: dict[Part, int]) -> Analysis:
    parts = np.repeat(np.array([*many], np.uint8), [*many.values()])
    return Analysis(CHUNK, parts, (many.get(Part.FREED, 0) + many.get(Part.EQUAL, 0)) * CHUNK)


ANALYSIS = analysis_of(MANY)


def test_shares_are_what_the_store_has() -> None:
    assert [
        (share.look, share.size // CHUNK, share.gained) for share in shares(STATUS, ANALYSIS)
    ] == [
        (LOOKS[Part.FILES], 500, False),
        (LISTS, 8, False),
        (LOOKS[Part.FREED], 1000, True),
        (LOOKS[Part.EQUAL], 24, True),
        (FREE, 1070, False),
    ]


def test_looks_can_be_told_apart() -> None:
    looks = [*LOOKS.values(), LISTS]
    assert len({look.colour for look in looks}) == len(looks)
    assert len({look.letter for look in looks}) == len(looks)
    assert len({look.name for look in looks}) == len(looks)


@given(st.lists(st.integers(1, 1 << 50), min_size=1, max_size=8), st.integers(20, 200))
def test_columns_add_up_and_nothing_is_hidden(sizes: list[int], width: int) -> None:
    columns = widths(sizes, width)
    assert sum(columns) == width
    assert min(columns) >= 1


@given(st.integers(0, 300), st.integers(1, 300))
def test_levels(changed: int, whole: int) -> None:
    changed = min(changed, whole)
    assert 0 <= level(changed, whole, 8) <= 8
    assert (level(changed, whole, 8) == 0) == (changed == 0)


@given(
    st.integers(1, 6000), st.dictionaries(st.sampled_from(Part), st.integers(0, 400), min_size=1)
)
def test_cells_hold_every_chunk_once(count: int, many: dict[Part, int]) -> None:
    analysis = analysis_of(many)
    cells = analysis.cells(count)
    sizes = cells.sum(axis=1)
    assert cells.sum() == len(analysis.parts)
    if len(analysis.parts):
        assert len(cells) == min(count, len(analysis.parts))
        assert sizes.max() - sizes.min() <= 1


def drawn(width: int, **settings: object) -> str:
    console = Console(file=io.StringIO(), width=width, **settings)  # type: ignore[arg-type]
    console.print(FillView(STATUS, ANALYSIS))
    console.print(MapView(ANALYSIS))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120, 300])
def test_the_terminals_map_fits(width: int) -> None:
    text = drawn(width)
    assert "\x1b" not in text
    rows = text.partition("Where that lies")[2].splitlines()[1:17]
    assert max(map(len, rows)) <= min(width, 120)
    letters = "".join(rows)
    columns = min(width, 120)
    assert letters.count("X") == pytest.approx(columns * 16 * 1000 / 5024, rel=0.05)
    assert letters.count(".") == pytest.approx(columns * 16 * 3000 / 5024, rel=0.05)


def test_colours_only_where_they_are_wanted() -> None:
    assert "\x1b[38;2;213;94;0m" in drawn(80, force_terminal=True, color_system="truecolor")
    plain = drawn(80, force_terminal=True, color_system="truecolor", no_color=True)
    assert "38;2" not in plain
    assert "X" in plain


def test_the_picture_shows_each_part_as_large_as_it_is() -> None:
    drawing = picture(STATUS, ANALYSIS)
    bar = {box.tone: box.width for box in drawing.boxes if box.height == 34}
    assert bar["#d55e00"] / bar["#0072b2"] == pytest.approx(2, rel=0.01)
    words = [line.text for line in drawing.words]
    assert "a compaction gives back 4 MiB" in words
    assert all(box.x >= 0 and box.x + box.width <= drawing.width for box in drawing.boxes)
    assert all(box.y + box.height <= drawing.height for box in drawing.boxes)


@given(st.dictionaries(st.sampled_from(Part), st.integers(0, 5000), min_size=1))
def test_any_overlay_can_be_drawn(many: dict[Part, int]) -> None:
    document = svg(picture(STATUS, analysis_of(many | {Part.BASE: 1})))
    assert ET.fromstring(document).tag.endswith("svg")


@given(st.text())
def test_any_words_can_be_written(text: str) -> None:
    words = (Words(1, 10, text), Words(90, 20, text, anchor="end", bold=True))
    drawing = Drawing(100, 30, text, (Box(0, 0, 5, 5, "base"),), words)
    assert ET.fromstring(svg(drawing)).tag.endswith("svg")


def test_the_png_is_the_same_drawing() -> None:
    boxes = (Box(10, 5, 20, 10, "#d55e00"), Box(12, 7, 1, 1, "base"))
    data = png(Drawing(100, 30, "t", boxes, (Words(50, 20, "a\x1b[31m", bold=True),)))
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (200, 60)
        assert image.getpixel((20, 10)) == (0xD5, 0x5E, 0x00)
        assert image.getpixel((59, 29)) == (0xD5, 0x5E, 0x00)
        assert image.getpixel((60, 30)) == (0xFF, 0xFF, 0xFF)
