# SPDX-License-Identifier: Apache-2.0
"""What the verbs of the overlay have in common: how an overlay is named, and how plans are run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.output import Output

if TYPE_CHECKING:
    from liveos.operations.plan import Plan

Overlay = Annotated[
    str,
    typer.Argument(metavar="OVERLAY", help="A stick, one of its images as STICK:NAME, or a store."),
]
Origin = Annotated[
    Path | None,
    typer.Option(
        "--origin", metavar="FILE", help="The root under a store: rootfs.img, squashfs.img, an ISO."
    ),
]
OutputFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write the result to this new file."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")]


def carry_out(output: Output, plan: "Plan", *, dry_run: bool, yes: bool) -> bool:
    """Show the plan, or ask and do it; whether it was done."""
    from liveos.cli.consent import consent, show_plan
    from liveos.cli.progress import reporter
    from liveos.operations.execute import execute

    if dry_run:
        show_plan(output, plan)
        return False
    consent(output, plan, yes=yes)
    with reporter(output) as chosen:
        execute(plan, chosen)
    return True
