# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay convert``: the same changes, kept in another way."""

from typing import Annotated

import typer

from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output
from liveos.cli.overlay.options import carry_out

Stick = Annotated[
    str, typer.Argument(metavar="STICK", help="A stick, or one of its images as STICK:NAME.")
]
To = Annotated[
    str,
    typer.Option("--to", metavar="KIND", help="The new kind: snapshot, directory or image."),
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="SIZE",
        help="The size of the new snapshot or image: 512M, 10%, rest; by default the old one's.",
    ),
]


def convert(
    output: Output,
    stick: Stick,
    *,
    to: To,
    size: SizeOption = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Make an overlay one of another kind; every change in it is kept."""
    from liveos.medium.installation import open_installation
    from liveos.medium.overlay.locate import open_overlay
    from liveos.medium.overlay.status import overlay_status
    from liveos.operations.overlay.plans import convert as operation
    from liveos.sizes import parse_size

    request = operation.ConvertRequest(
        operation.kind_of(to), None if size is None else parse_size(size)
    )
    with open_installation(stick) as found, open_overlay(stick) as overlay:
        plan = operation.plan(found, overlay, request)
    if (plan.steps or dry_run) and not carry_out(output, plan, dry_run=dry_run, yes=yes):
        return
    if not plan.steps:
        output.note(f"The overlay is of the kind {request.to} already; nothing was changed.")
    with open_overlay(stick) as overlay:
        status = overlay_status(overlay, stick)
    if output.as_json:
        from liveos.cli.overlay.status import document

        output.document("overlay-convert", document(status))
    else:
        from liveos.cli.overlay.status_view import status_view

        output.show(*status_view(status))
