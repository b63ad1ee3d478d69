# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay merge``: the root with its changes as one image."""

from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output
from liveos.cli.overlay.options import Force, Origin, OutputFile, Overlay, carry_out
from liveos.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

InPlace = Annotated[
    bool,
    typer.Option(
        "--in-place", help="Put the changes into an uncompressed root itself; empties the overlay."
    ),
]
Replay = Annotated[
    bool, typer.Option("--replay", help="Apply the filesystem's journal, as a mount would.")
]


def merge(
    output: Output,
    overlay: Overlay,
    *,
    origin: Origin = None,
    file: OutputFile = None,
    in_place: InPlace = False,
    replay: Replay = False,
    force: Force = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Make one root image of the root and its changes."""
    from liveos.medium.overlay.locate import open_overlay
    from liveos.operations.overlay.plans import merge as operation
    from liveos.operations.steps.overlay import Subject

    _require_one_place(file, in_place=in_place, replay=replay, force=force)
    with open_overlay(overlay, origin) as found:
        subject = Subject(overlay, origin, found.place)
        plan = operation.plan(found, subject, operation.MergeRequest(file, replay, force))
        root = found.need_origin()
        target = file or root.place
    if carry_out(output, plan, dry_run=dry_run, yes=yes):
        if output.as_json:
            output.document("overlay-merge", {"path": str(target), "in_place": in_place})
        else:
            output.show(_sentence(str(target), root.name, str(found.place) if in_place else None))


def _sentence(target: str, root: str, emptied: str | None) -> str:
    if emptied is not None:
        return f"{target} has the changes in it now, and {emptied} is empty."
    return f"{target} is {root} with its changes."


def _require_one_place(file: "Path | None", *, in_place: bool, replay: bool, force: bool) -> None:
    if in_place == (file is not None):
        raise UsageError(
            "say where the merged root shall be",
            hint="-o NEW.img writes a new file; --in-place changes the root itself",
        )
    if in_place and (replay or force):
        raise UsageError("--replay and --force go with -o, not with --in-place")
