# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay restore``: a store of a dump or a pack."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output
from liveos.cli.overlay.options import Force, OutputFile, carry_out
from liveos.errors import UsageError

if TYPE_CHECKING:
    from liveos.operations.plan import Plan

Recording = Annotated[
    Path, typer.Argument(metavar="RECORD", help="What dump or pack wrote, or repair to undo it.")
]
Into = Annotated[
    str | None,
    typer.Option(
        "--into", metavar="OVERLAY", help="Put it back into this overlay, whose data are intact."
    ),
]
Data = Annotated[
    str | None,
    typer.Option("--data", metavar="OVERLAY", help="Take the data from this overlay, with -o."),
]


def restore(
    output: Output,
    recording: Recording,
    *,
    into: Into = None,
    file: OutputFile = None,
    data: Data = None,
    force: Force = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Make a store of a dump or a pack, or put it back into the store it came from."""
    _require_one_place(file, into, extra=data is not None or force)
    plan = _plan_new(recording, file, data, force=force) if file else _plan_into(recording, into)
    if carry_out(output, plan, dry_run=dry_run, yes=yes):
        place = str(file or into)
        if output.as_json:
            output.document("overlay-restore", {"path": place, "record": str(recording)})
        else:
            output.show(f"{place} is as {recording} says.")


def _plan_new(recording: Path, file: Path, data: str | None, *, force: bool) -> "Plan":
    from liveos.medium.overlay.locate import open_overlay
    from liveos.medium.overlay.recording import open_recording
    from liveos.operations.overlay.plans import restore as operation
    from liveos.operations.steps.overlay import Subject

    subject = None
    if data is not None:
        with open_overlay(data) as found:
            found.need_store()
            subject = Subject(data, None, found.place)
    with open_recording(recording) as (store, _):
        return operation.plan_new(store, recording, operation.NewStore(file, subject, force))


def _plan_into(recording: Path, into: str | None) -> "Plan":
    from liveos.medium.overlay.locate import open_overlay
    from liveos.medium.overlay.recording import open_recording
    from liveos.operations.overlay.plans import restore as operation
    from liveos.operations.steps.overlay import Subject

    assert into is not None
    with open_recording(recording) as (store, _), open_overlay(into) as found:
        subject = Subject(into, None, found.place)
        return operation.plan_into(store, recording, found, subject)


def _require_one_place(file: Path | None, into: str | None, *, extra: bool) -> None:
    if (file is None) == (into is None):
        raise UsageError(
            "say where the store shall be",
            hint="-o NEW writes a new store; --into OVERLAY puts it back where it came from",
        )
    if into is not None and extra:
        raise UsageError("--data and --force go with -o, not with --into")
