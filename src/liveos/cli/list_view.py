# SPDX-License-Identifier: Apache-2.0
"""The images of a medium as one table: two lines for each, one below the other in every column."""

from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from liveos.cli.overlay.status_view import percent
from liveos.cli.render import findings, size, words
from liveos.medium.listing import ListedImage, Listing
from liveos.medium.model import Container, Overlay, PersistenceKind, Root, Store
from liveos.report import Severity

_HEAD = ("  image", "root", "starts with", "overlay", "home", "swap")
_GAP = "  "
_LEAST_TITLE = 10

Row = tuple[str, ...]


def listing_view(listing: Listing) -> Iterator[RenderableType]:
    """The parts of the view in order."""
    if listing.images:
        yield ImageTable([_lines(each) for each in listing.images])
    else:
        yield Text("no images")
    if any(each.is_default for each in listing.images):
        yield Text("\n* starts by itself", "dim")
    # What is only worth knowing is told by inspect.
    yield from findings(each for each in listing.warnings if each.severity is not Severity.INFO)


class ImageTable:
    """Lines that a terminal does not break: where there is no room, the first column is cut.

    Into a file or a pipe it is written in full width.
    """

    def __init__(self, images: list[tuple[Row, Row]]) -> None:
        self._images = images

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = [_HEAD, *(row for image in self._images for row in image)]
        widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
        excess = sum(widths) + len(_GAP) * (len(widths) - 1) - options.max_width
        if console.is_terminal and excess > 0:
            widths[0] = max(_LEAST_TITLE, widths[0] - excess)
        yield Text(_line(_HEAD, widths), "dim", no_wrap=True, overflow="ignore")
        for first, second in self._images:
            bold = "bold" if first[0].startswith("*") else ""
            yield Text(_line(first, widths), bold, no_wrap=True, overflow="ignore")
            yield Text(_line(second, widths), no_wrap=True, overflow="ignore")


def _line(cells: Row, widths: list[int]) -> str:
    shown = (_fit(cell, width) for cell, width in zip(cells, widths, strict=True))
    return _GAP.join(shown).rstrip()


def _fit(cell: str, width: int) -> str:
    return set_cell_size(cell, width) if cell_len(cell) <= width else f"{cell[: width - 1]}…"


def _lines(listed: ListedImage) -> tuple[Row, Row]:
    image = listed.image
    mark = "* " if listed.is_default else "  "
    cells = (
        (f"{mark}{words(image.name)}", f"  {words(listed.title)}"),
        (listed.form, _packing(image.root)),
        _starter(listed),
        _overlay(listed),
        _home(image.home),
        ("-", "") if image.swap is None else (size(image.swap.size), ""),
    )
    first, second = zip(*cells, strict=True)
    return first, second


def _packing(root: Root) -> str:
    if root.container is Container.NONE:
        return words(root.filesystem)
    return " ".join(filter(None, (root.container, words(root.compression or ""))))


def _starter(listed: ListedImage) -> tuple[str, str]:
    """Of the kernel's version, what tells it from others of the same machine."""
    version = words(listed.kernel).removesuffix(".x86_64").removesuffix(".aarch64")
    return version, "no dracut" if listed.dracut is None else f"dracut {words(listed.dracut)}"


def _overlay(listed: ListedImage) -> tuple[str, str]:
    overlay, room = listed.image.overlay, listed.room
    if overlay is None:
        return "-", ""
    if room is None or room.size is None:
        free = None if room is None else room.free
        return str(overlay.kind), "" if free is None else f"{size(free)} free"
    return str(overlay.kind), f"{size(room.size)}, {_state(overlay, room.fullness)}"


def _state(overlay: Overlay, fullness: float | None) -> str:
    if overlay.kind is PersistenceKind.SNAPSHOT and overlay.state in {"blank", "invalid"}:
        return words(overlay.state)
    return "damaged" if fullness is None else percent(fullness)


def _home(home: Store | None) -> tuple[str, str]:
    if home is None:
        return "-", ""
    kind = "encrypted" if home.encrypted else "unknown" if home.filesystem is None else "plain"
    place = "" if home.partition is None else f", part {home.partition}"
    return kind, f"{size(home.size)}{place}"
