# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay compact``: room again where deleted files were."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output
from liveos.cli.overlay.options import Force, Origin, OutputFile, Overlay, carry_out
from liveos.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from liveos.medium.overlay.status import OverlayStatus
    from liveos.operations.plan import Plan

InPlace = Annotated[
    bool,
    typer.Option("--in-place", help="Change the store itself; needs no room for a second one."),
]
SizeOption = Annotated[
    str | None, typer.Option("--size", metavar="SIZE", help="Give the store this size: 512M, 4G.")
]
KeepBackup = Annotated[
    bool, typer.Option("--keep-backup", help="Keep the old store, with .bak behind its name.")
]


def compact(
    output: Output,
    overlay: Overlay,
    *,
    origin: Origin = None,
    file: OutputFile = None,
    in_place: InPlace = False,
    size: SizeOption = None,
    keep_backup: KeepBackup = False,
    force: Force = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Give back the room of deleted files, and of what equals the root."""
    from liveos.operations.overlay.plans.compact import CompactRequest
    from liveos.sizes import parse_bytes

    _require_sense(file, in_place=in_place, keep_backup=keep_backup, force=force)
    wanted = None if size is None else parse_bytes(size)
    request = CompactRequest(file, in_place, wanted, keep_backup, force)
    plan, before = _plan(output, overlay, origin, request, exact=dry_run or not yes)
    if plan.steps and not carry_out(output, plan, dry_run=dry_run, yes=yes):
        return
    after = _status(str(file) if file else overlay, origin)
    _show(output, plan, before, after)


def _require_sense(file: Path | None, *, in_place: bool, keep_backup: bool, force: bool) -> None:
    if in_place and (file or keep_backup):
        raise UsageError("--in-place makes no second store: it goes without -o and --keep-backup")
    if file and keep_backup:
        raise UsageError("with -o the old store stays as it is: --keep-backup has no meaning")
    if force and not file:
        raise UsageError("--force goes with -o")


def _plan(
    output: Output, overlay: str, origin: Path | None, request: object, *, exact: bool
) -> "tuple[Plan, OverlayStatus]":
    from liveos.cli.progress import reporter
    from liveos.medium.overlay.locate import open_overlay
    from liveos.medium.overlay.status import overlay_status
    from liveos.operations.overlay.plans import compact as operation
    from liveos.operations.steps.overlay import Subject

    assert isinstance(request, operation.CompactRequest)
    with open_overlay(overlay, origin) as found:
        with reporter(output) as chosen:
            chosen.step("Compare what changed with the root", 1, 1)
            plan = operation.look_and_plan(
                found, Subject(overlay, origin, found.place), request, chosen.progress, exact=exact
            )
        return plan, overlay_status(found, overlay)


def _status(overlay: str, origin: Path | None) -> "OverlayStatus":
    from liveos.medium.overlay.locate import open_overlay
    from liveos.medium.overlay.status import overlay_status

    with open_overlay(overlay, origin) as found:
        return overlay_status(found, overlay)


def _show(output: Output, plan: "Plan", before: "OverlayStatus", after: "OverlayStatus") -> None:
    if output.as_json:
        from liveos.cli.overlay.status import document

        content = {
            "path": after.path,
            "changed": bool(plan.steps),
            "gained": (after.free_size or 0) - (before.free_size or 0),
            "before": document(before),
            "after": document(after),
        }
        output.document("overlay-compact", content)
    elif not plan.steps:
        output.show(f"{after.path} is compact: {plan.notes[0]}.")
    else:
        output.show(*_comparison(before, after))


def _comparison(before: "OverlayStatus", after: "OverlayStatus") -> "list[RenderableType]":
    from liveos.cli.render import heading, size, table, words

    lines = table("  store", "before", "after", right=["before", "after"])
    for what, one, other in (
        ("size", before.size, after.size),
        ("free", before.free_size, after.free_size),
    ):
        lines.add_row(f"  {what}", size(one), size(other))
    lines.add_row("  changed blocks", str(before.exceptions), str(after.exceptions))
    lines.add_row("  dmsetup status", words(before.status_line), words(after.status_line))
    return [heading("Compacted", words(after.path)), lines]
