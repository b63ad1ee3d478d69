# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay resize``: more room, or less."""

from typing import Annotated

import typer

from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output
from liveos.cli.overlay.options import Origin, carry_out

CONTEXT_SETTINGS = {"ignore_unknown_options": True}
"""A size may begin with a minus sign."""

_WORDS = "The new size: 4G; or a change: +512M, -1G, +50%; or max, all that its root can need."


def _no_option(word: str) -> str:
    """What begins with a dash and is no known option is a word to the parser of this verb."""
    if word.startswith("-"):
        raise typer.BadParameter(f"there is no option {word}")
    return word


_Overlay = Annotated[
    str,
    typer.Argument(
        metavar="OVERLAY",
        help="A stick, one of its images as STICK:NAME, or a store.",
        callback=_no_option,
    ),
]


def resize(
    output: Output,
    overlay: _Overlay,
    size: Annotated[str, typer.Argument(metavar="SIZE", help=_WORDS)],
    *,
    origin: Origin = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Make a snapshot overlay larger or smaller; what is in it stays."""
    from liveos.cli.progress import reporter
    from liveos.medium.overlay.locate import open_overlay
    from liveos.medium.overlay.status import overlay_status
    from liveos.operations.overlay.plans import resize as operation
    from liveos.operations.steps.overlay import Subject

    wish = operation.parse_wish(size)
    with open_overlay(overlay, origin) as found, reporter(output) as chosen:
        plan = operation.plan(found, Subject(overlay, origin, found.place), wish, chosen)
    if plan.steps and not carry_out(output, plan, dry_run=dry_run, yes=yes):
        return
    with open_overlay(overlay, origin) as found:
        status = overlay_status(found, overlay)
    if output.as_json:
        from liveos.cli.overlay.status import document

        output.document("overlay-resize", document(status))
    else:
        from liveos.cli.overlay.status_view import status_view

        output.show(*status_view(status))
