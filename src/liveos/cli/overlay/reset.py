# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay reset``: forget every change."""

from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output
from liveos.cli.overlay.options import Overlay, carry_out


def reset(output: Output, overlay: Overlay, *, dry_run: DryRun = False, yes: Yes = False) -> None:
    """Forget every change: make the overlay an empty one of the same size."""
    from uuid import uuid4

    from liveos.medium.overlay.locate import open_overlay
    from liveos.operations.overlay.plans import reset as operation
    from liveos.operations.steps.overlay import Subject

    with open_overlay(overlay) as found:
        plan = operation.plan(found, Subject(overlay, None, found.place), uuid4())
    if carry_out(output, plan, dry_run=dry_run, yes=yes):
        if output.as_json:
            output.document("overlay-reset", {"path": str(found.place)})
        else:
            output.show(f"{found.place} is empty.")
