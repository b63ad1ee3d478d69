# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay repair``: make a damaged overlay usable again."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output
from liveos.cli.overlay.options import Force, Origin, OutputFile, Overlay, carry_out
from liveos.errors import ExitStatus, UsageError


class Keep(StrEnum):
    """Which of contradicting entries stays."""

    FIRST = "first"
    LAST = "last"


InPlace = Annotated[
    bool,
    typer.Option("--in-place", help="Repair the overlay itself, after saving an undo file."),
]
Undo = Annotated[
    Path | None,
    typer.Option("--undo", metavar="FILE", help="Where to save it, instead of OVERLAY.undo."),
]
Kept = Annotated[
    Keep | None,
    typer.Option("--keep", help="Of entries that contradict each other, keep these."),
]
ForceHeader = Annotated[
    bool,
    typer.Option("--force-header", help="Write a header even where another file begins so."),
]
NoFs = Annotated[bool, typer.Option("--no-fs", help="Leave the filesystem in it alone.")]
FsckAll = Annotated[
    bool,
    typer.Option("--fsck-all", help="Let e2fsck correct everything, not only what is safe."),
]


def repair(
    output: Output,
    overlay: Overlay,
    *,
    origin: Origin = None,
    file: OutputFile = None,
    in_place: InPlace = False,
    undo: Undo = None,
    keep: Kept = None,
    force_header: ForceHeader = False,
    no_fs: NoFs = False,
    fsck_all: FsckAll = False,
    force: Force = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> ExitStatus:
    """Make a damaged overlay usable again, in a new file or in place."""
    from liveos.cli.overlay.check_view import line
    from liveos.formats.exception_store import Duplicates
    from liveos.medium.overlay.filesystem_check import Corrections
    from liveos.medium.overlay.locate import open_overlay
    from liveos.operations.overlay.plans import repair as operation
    from liveos.operations.steps.overlay import Choices, RepairStore, Subject

    _require_one_place(file, undo, in_place=in_place, force=force)
    if no_fs and fsck_all:
        raise UsageError("--no-fs and --fsck-all exclude each other")
    corrections = None if no_fs else Corrections.ALL if fsck_all else Corrections.SAFE
    choices = Choices(None if keep is None else Duplicates(keep), force_header)
    request = operation.RepairRequest(file, choices, corrections, undo, force)
    with open_overlay(overlay, origin) as found:
        plan = operation.plan(found, Subject(overlay, origin, found.place), request)
    if not plan.steps:
        output.note(*plan.notes)
    saved = next((step.undo for step in plan.steps if isinstance(step, RepairStore)), None)
    try:
        if plan.steps and not carry_out(output, plan, dry_run=dry_run, yes=yes):
            return ExitStatus.DONE
    finally:
        if saved is not None and saved.exists():
            output.note(line(f"to undo it: {shlex.join(_undoing(saved, overlay))}"))
    return _show(output, str(file) if file and plan.steps else overlay, origin, saved)


def _show(output: Output, result: str, origin: Path | None, undo: Path | None) -> ExitStatus:
    """What the repaired overlay is like: the same as ``overlay check`` says."""
    from liveos.cli.overlay.check import document
    from liveos.cli.overlay.check_view import check_view
    from liveos.medium.overlay.examine import examine
    from liveos.medium.overlay.locate import open_overlay

    with open_overlay(result, origin) as found:
        check, place = examine(found), str(found.place)
    if output.as_json:
        saved = str(undo) if undo is not None and undo.exists() else None
        output.document("overlay-repair", {"path": place, "undo": saved, **document(check)})
    else:
        named = (result, *(("--origin", str(origin)) if origin else ()))
        output.show(*check_view(check, place, named))
    return ExitStatus.DONE if check.is_clean else ExitStatus.PROBLEMS_FOUND


def _undoing(undo: Path, overlay: str) -> tuple[str, ...]:
    return ("liveos", "overlay", "restore", str(undo), "--into", overlay)


def _require_one_place(
    file: Path | None, undo: Path | None, *, in_place: bool, force: bool
) -> None:
    if in_place == (file is not None):
        raise UsageError(
            "say where the repaired overlay shall be",
            hint="-o NEW writes a new file and leaves the damaged one; --in-place changes it",
        )
    if in_place and force:
        raise UsageError("--force goes with -o, not with --in-place")
    if undo is not None and not in_place:
        raise UsageError("--undo goes with --in-place: with -o the damaged overlay stays")
