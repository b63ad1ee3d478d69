# SPDX-License-Identifier: Apache-2.0
"""Drawings of boxes and words, as SVG by hand and as PNG through Pillow.

Lengths are pixels of the SVG; the PNG has twice as many.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import escape

from liveos.cli.text import printable

if TYPE_CHECKING:
    from PIL import ImageDraw

Anchor = Literal["start", "middle", "end"]

# Light first, then for those who read on dark grounds; the other colours suit both.
_TONES = {
    "paper": ("#ffffff", "#16191d"),
    "ink": ("#1b1f24", "#e8eaed"),
    "muted": ("#5b6570", "#9aa4af"),
    "base": ("#b8bec6", "#4a525c"),
    "empty": ("#e9ecef", "#262b31"),
    "room": ("#ffffff", "#16191d"),
    "edge": ("#8d96a0", "#6b7580"),
}
_SCALE = 2
_BOLD_FROM = 15  # smaller letters are smeared by what makes the font of the PNG bold
_PIL_ANCHORS: dict[Anchor, str] = {"start": "ls", "middle": "ms", "end": "rs"}


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle; ``tone`` is a colour such as ``#0072b2``, or the name of one."""

    x: float
    y: float
    width: float
    height: float
    tone: str


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text whose baseline begins, is centred or ends at (x, y)."""

    x: float
    y: float
    text: str
    size: int = 13
    tone: str = "ink"
    anchor: Anchor = "start"
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes in the order in which they are painted, and the words above them."""

    width: int
    height: int
    title: str
    boxes: tuple[Box, ...]
    words: tuple[Words, ...]


def svg(drawing: Drawing) -> str:
    """The drawing as an SVG document, dark where the reader wants it dark."""
    size = f"{drawing.width} {drawing.height}"
    extent = f'width="{drawing.width}" height="{drawing.height}"'
    return "\n".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" {extent} role="img">',
            f"<title>{_escaped(drawing.title)}</title>",
            f"<style>{_style()}</style>",
            f'<path class="paper" d="M0 0h{drawing.width}v{drawing.height}H0z"/>',
            *_paths(drawing.boxes),
            *(_text(words) for words in drawing.words),
            "</svg>",
            "",
        )
    )


def png(drawing: Drawing) -> bytes:
    """The drawing as a PNG file on a light ground."""
    from PIL import Image, ImageDraw

    size = (drawing.width * _SCALE, drawing.height * _SCALE)
    image = Image.new("RGB", size, _light("paper"))
    brush = ImageDraw.Draw(image)
    for box in drawing.boxes:
        x, y = box.x * _SCALE, box.y * _SCALE
        right = max(x, round(x + box.width * _SCALE) - 1)
        bottom = max(y, round(y + box.height * _SCALE) - 1)
        brush.rectangle((round(x), round(y), right, bottom), fill=_light(box.tone))
    for words in drawing.words:
        _write(brush, words)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _light(tone: str) -> str:
    return _TONES[tone][0] if tone in _TONES else tone


def _style() -> str:
    light = "".join(f".{name}{{fill:{tone}}}" for name, (tone, _) in _TONES.items())
    dark = "".join(f".{name}{{fill:{tone}}}" for name, (_, tone) in _TONES.items())
    fonts = "text{font-family:system-ui,sans-serif}"
    return f"{fonts}{light}@media(prefers-color-scheme:dark){{{dark}}}"


def _paths(boxes: Iterable[Box]) -> list[str]:
    """Neighbours in the order of painting that have one tone share an element."""
    paths = []
    for tone, group in groupby(boxes, attrgetter("tone")):
        steps = "".join(
            f"M{_n(box.x)} {_n(box.y)}h{_n(box.width)}v{_n(box.height)}h{_n(-box.width)}z"
            for box in group
        )
        fill = f'class="{tone}"' if tone in _TONES else f'fill="{tone}"'
        paths.append(f'<path {fill} d="{steps}"/>')
    return paths


def _text(words: Words) -> str:
    weight = ' font-weight="600"' if words.bold else ""
    anchor = "" if words.anchor == "start" else f' text-anchor="{words.anchor}"'
    tone = f'class="{words.tone}"' if words.tone in _TONES else f'fill="{words.tone}"'
    return (
        f'<text {tone} x="{_n(words.x)}" y="{_n(words.y)}" font-size="{words.size}"'
        f"{weight}{anchor}>{_escaped(words.text)}</text>"
    )


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _escaped(text: str) -> str:
    return escape(printable(text).replace("\n", " "))


def _write(brush: "ImageDraw.ImageDraw", words: Words) -> None:
    from PIL import ImageFont

    brush.text(
        (words.x * _SCALE, words.y * _SCALE),
        printable(words.text).replace("\n", " "),
        fill=_light(words.tone),
        font=ImageFont.load_default(words.size * _SCALE),
        anchor=_PIL_ANCHORS[words.anchor],
        stroke_width=int(words.bold and words.size >= _BOLD_FROM),
        stroke_fill=_light(words.tone),
    )
