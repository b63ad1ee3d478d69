# SPDX-License-Identifier: Apache-2.0
"""Shapes that several verbs show: headings, plain tables, findings."""

from collections.abc import Iterable
from pathlib import Path

from rich.table import Table
from rich.text import Text

from liveos.cli.text import printable
from liveos.report import Finding, Severity
from liveos.sizes import format_size

SEVERITY_STYLE = {Severity.FATAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: ""}
SEVERITY_WORD = {Severity.FATAL: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """A table without frames: it can be read, and cut with other programs."""
    lines = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in columns:
        # What a row is about comes first, and is often a path: the other columns make room.
        lines.add_column(
            name,
            justify="right" if name in right else "left",
            overflow="fold",
            no_wrap=name == columns[0] or name in right,
        )
    return lines


def heading(title: str, remark: str = "") -> Text:
    """The first line of a section, with an empty line above it."""
    return Text.assemble("\n", (title, "bold"), f"  {remark}" if remark else "")


def words(text: str | None) -> str:
    """A value from an image as the one line of a table's cell; absent is ``-``."""
    return "-" if text is None else printable(text).replace("\n", r"\n")


def size(number: int | None) -> str:
    """A size as the cell of a table; unknown is ``-``."""
    return "-" if number is None else format_size(number)


def place(path: Path) -> str:
    """A path as short as it can be said here."""
    here = Path.cwd()
    return words(str(path.relative_to(here) if path.is_relative_to(here) else path))


def findings(found: Iterable[Finding]) -> list[Text]:
    """One paragraph for each finding, in the colour of its severity."""
    return [
        Text.assemble(
            (f"{SEVERITY_WORD[each.severity]}: ", SEVERITY_STYLE[each.severity]),
            printable(each.message),
            f" ({printable(each.repair)})" if each.repair else "",
        )
        for each in found
    ]
