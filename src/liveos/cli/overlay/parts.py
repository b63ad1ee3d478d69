# SPDX-License-Identifier: Apache-2.0
"""The parts of an overlay as every picture of it shows them: names, colours and order.

The colours are those of Okabe and Ito, which people see apart whatever their eyes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from liveos.formats.exception_store import SECTOR
from liveos.medium.overlay.map import STORED, Analysis, Part
from liveos.medium.overlay.status import OverlayStatus


@dataclass(frozen=True, slots=True)
class Look:
    """How a part is shown: its name, its colour, and its letter where there are no colours."""

    name: str
    colour: str
    letter: str


LOOKS = {
    Part.FILES: Look("files, new or changed", "#0072b2", "F"),
    Part.STRUCTURE: Look("directories, inodes, bitmaps", "#cc79a7", "D"),
    Part.JOURNAL: Look("the journal", "#009e73", "J"),
    Part.FREED: Look("deleted, but still held", "#d55e00", "X"),
    Part.EQUAL: Look("the same as in the root", "#e6c700", "E"),
    Part.REPLAYED: Look("in the journal, not yet in the store", "#56b4e9", "R"),
    Part.BASE: Look("root, unchanged", "#b8bec6", "."),
    Part.EMPTY: Look("root, empty and unchanged", "#e9ecef", " "),
}
LISTS = Look("the overlay's own lists", "#5b6570", "L")
FREE = Look("free, for new chunks", "#ffffff", " ")


@dataclass(frozen=True, slots=True)
class Share:
    """A stretch of the store: what it is, in bytes, and whether a compaction gives it back."""

    look: Look
    size: int
    gained: bool = False


def shares(status: OverlayStatus, analysis: Analysis) -> tuple[Share, ...]:
    """What the store consists of, what is of use first; nothing that is not there."""
    found = list(_shares(status, analysis))
    return tuple(share for share in found if share.size > 0)


def _shares(status: OverlayStatus, analysis: Analysis) -> Iterator[Share]:
    for part in STORED:
        if part is Part.FREED:
            yield Share(LISTS, status.usage.metadata * SECTOR if status.usage else 0)
        gained = part in {Part.FREED, Part.EQUAL}
        yield Share(LOOKS[part], analysis.size(part), gained)
    yield Share(FREE, status.free_size or 0)


def level(changed: int, whole: int, steps: int) -> int:
    """How high of ``steps`` a part of a cell reaches; what is there at all can be seen."""
    if not changed or not whole:
        return 0
    return max(1, round(steps * changed / whole))
