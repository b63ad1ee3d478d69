# SPDX-License-Identifier: Apache-2.0
"""``liveos verify``: whether bytes are those that they should be."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.output import Output
from liveos.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from liveos.operations.verify import Verification

Target = Annotated[
    Path,
    typer.Argument(metavar="TARGET", help="An ISO, a stick, an image file, a directory, or live."),
]
Sums = Annotated[
    Path | None,
    typer.Option("--checksum", metavar="FILE", help="Compare with the sum in this file, too."),
]
Keyring = Annotated[
    Path | None,
    typer.Option(
        "--keyring", metavar="FILE", help="That file must be signed by one of these OpenPGP keys."
    ),
]


def verify(
    output: Output, target: Target, *, checksum: Sums = None, keyring: Keyring = None
) -> ExitStatus:
    """Compare a medium with what it should be: by sums in it, beside it and on sticks."""
    from liveos.cli.progress import reporter
    from liveos.operations import verify as operation

    if keyring is not None and checksum is None:
        raise UsageError("--keyring is for the file of sums", hint="add --checksum FILE")
    with reporter(output) as face:
        found = operation.verify(target, face, checksum, keyring)
    if output.as_json:
        output.document("verify", _document(found))
    else:
        output.show(*_view(found))
    return ExitStatus.DONE if found.holds else ExitStatus.PROBLEMS_FOUND


def _document(found: "Verification") -> dict[str, object]:
    from dataclasses import asdict

    comparisons = [asdict(each) for each in found.comparisons]
    return {
        "path": found.path,
        "holds": found.holds,
        "comparisons": comparisons,
        "notes": list(found.notes),
    }


def _view(found: "Verification") -> "list[RenderableType]":
    from rich.text import Text

    from liveos.cli.render import size, table, words

    lines = table("what", "size", "is", "compared with", right=("size",))
    for each in found.comparisons:
        style = "" if each.verdict == "good" else "bold red"
        verdict = f"{each.verdict}: {each.remark}" if each.remark else str(each.verdict)
        what = words(each.subject)
        lines.add_row(what, size(each.size), Text(words(verdict), style), words(each.against))
    notes = [Text(f"not compared: {words(note)}", "dim") for note in found.notes]
    bad = sum(each.verdict != "good" for each in found.comparisons)
    path, number = words(str(found.path)), len(found.comparisons)
    if bad:
        end = Text(f"\nNOT AS IT SHOULD BE: {bad} of {number} in {path}.", "bold red")
    else:
        what = f"What was compared of {path}" if found.notes else path
        end = Text(f"\n{what} is as it should be.", "bold")
    return [lines, *notes, end]
