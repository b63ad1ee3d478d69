# SPDX-License-Identifier: Apache-2.0
"""Changed files for people: one line for each change, then what fills the overlay."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from liveos.cli.render import heading, size, table, words
from liveos.medium.overlay.changes.model import Changes, Usage
from liveos.operations.overlay.extract import MANIFEST, Extraction

_AT_ONCE = 1000  # lines; printing each by itself takes several times longer
_LARGEST = 20  # rows of the usage, without --verbose
_STYLES = {"A": "green", "D": "red", "M": "yellow", "R": "cyan", "m": "blue"}
_WORDS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "m": "metadata only"}


def diff_view(
    changes: Changes, usage: Sequence[Usage], *, verbose: bool = False
) -> Iterator[RenderableType]:
    """The changes in order of their paths, a count of each kind, and the largest users."""
    lines = _lines(changes)
    for start in range(0, len(lines), _AT_ONCE):
        yield _block(lines[start : start + _AT_ONCE])
    yield Text(_summary(Counter(letter for letter, _ in lines)), "bold")
    if usage:
        yield from _usage(usage, len(usage) if verbose else _LARGEST)


def extraction_line(result: Extraction, directory: str) -> Text:
    """What was saved where, and where it says what was not."""
    line = Text(f"\n{result.saved} files and directories saved in {words(directory)}, ")
    line.append(size(result.size))
    if result.unsaved:
        line.append(f"; {len(result.unsaved)} could not be", "yellow")
    if result.unset:
        line.append(f"; {len(result.unset)} owners or other attributes could not be set", "yellow")
    if result.unsaved or result.unset:
        line.append(f": see {words(directory)}/{MANIFEST}")
    return line


def _lines(changes: Changes) -> list[tuple[str, str]]:
    """Letter and text of each change, by the path that it has now, or had."""
    found = [
        (path, letter, words(path))
        for letter, paths in (
            ("A", changes.added),
            ("D", changes.removed),
            ("M", changes.modified),
            ("m", changes.metadata),
        )
        for path in paths
    ]
    found += [(new, "R", f"{words(old)} -> {words(new)}") for old, new in changes.renamed]
    return [(letter, text) for _, letter, text in sorted(found)]


def _block(lines: Sequence[tuple[str, str]]) -> RenderableType:
    """Some lines together, none of them broken: a group keeps what its text says of that."""
    block = Text(no_wrap=True, overflow="ignore")
    for letter, path in lines:
        block.append(letter, _STYLES[letter]).append(f" {path}\n")
    block.right_crop(1)
    return Group(block)


def _summary(counts: Counter[str]) -> str:
    told = ", ".join(f"{counts[letter]} {_WORDS[letter]}" for letter in _WORDS if counts[letter])
    return told or "No file is changed."


def _usage(usage: Sequence[Usage], rows: int) -> Iterator[RenderableType]:
    total = sum(each.size for each in usage)
    yield heading("What fills the overlay", size(total))
    lines = table("  size", "share", "what", right=["  size", "share"])
    for each in usage[:rows]:
        share = f"{100 * each.size / total:.1f}%" if total else "-"
        lines.add_row(size(each.size), share, Text(words(each.path), overflow="fold"))
    rest = usage[rows:]
    if rest:
        more = sum(each.size for each in rest)
        lines.add_row(size(more), f"{100 * more / total:.1f}%", _others(len(rest)), style="dim")
    yield lines


def _others(count: int) -> str:
    return f"{count} more (--verbose lists them)"
