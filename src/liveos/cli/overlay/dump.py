# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay dump``: the list of changed chunks as text."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.output import Output
from liveos.cli.overlay.options import Force, OutputFile, Overlay
from liveos.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from liveos.formats.binary import ByteSource
    from liveos.medium.overlay.recording import Legible

DataHashes = Annotated[
    bool, typer.Option("--data-hashes", help="Add the SHA-256 of the data of each run of chunks.")
]


def dump(
    output: Output,
    overlay: Overlay,
    *,
    file: OutputFile = None,
    data_hashes: DataHashes = False,
    force: Force = False,
) -> ExitStatus:
    """Write the list of changed chunks as text, exact enough to restore it."""
    from liveos.medium.overlay.locate import open_overlay
    from liveos.medium.overlay.recording import read_legible

    if force and file is None:
        raise UsageError("--force goes with -o")
    with open_overlay(overlay, recorded=True) as found:
        source = found.need_store()
        legible = read_legible(source)
        text = _text(source, legible, data_hashes=data_hashes)
        if file is None:
            sys.stdout.writelines(text)
        else:
            _write(file, text, force=force)
            _say(output, file, legible)
    return _judge(output, str(found.place), legible)


def _text(source: "ByteSource", legible: "Legible", *, data_hashes: bool) -> "Iterator[str]":
    from liveos.formats.exception_store.spans import SpannedSource
    from liveos.formats.exception_store.text import write_text

    if data_hashes and isinstance(source, SpannedSource):
        raise UsageError("a dump or a pack has no data to hash", hint="name the store itself")
    return write_text(source, legible.store, sums=data_hashes)


def _write(file: "Path", text: "Iterator[str]", *, force: bool) -> None:
    from liveos.host.folders.new_file import new_file, write_stream

    with new_file(file, 0, replaces=force) as descriptor:
        write_stream(descriptor, (piece.encode() for piece in text))


def _say(output: Output, file: "Path", legible: "Legible") -> None:
    count = legible.store.count
    if output.as_json:
        output.document("overlay-dump", {"path": str(file), "exceptions": count})
    elif not output.quiet:
        output.note(f"{file}: the list of {count} changed chunks")


def _judge(output: Output, place: str, legible: "Legible") -> ExitStatus:
    """What is wrong, to standard error: the text itself is whole, but the store is not."""
    from liveos.cli.text import finding_line
    from liveos.report import Severity

    wrong = [each for each in legible.findings if each.severity is not Severity.INFO]
    output.note(*(f"{place}: {finding_line(finding)}" for finding in wrong))
    fatal = any(finding.severity is Severity.FATAL for finding in wrong)
    return ExitStatus.PROBLEMS_FOUND if fatal else ExitStatus.DONE
