# SPDX-License-Identifier: Apache-2.0
"""``liveos home remove``: delete a home with everything in it."""

from liveos.cli.home.options import Stick
from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output


def remove(output: Output, stick: Stick, *, dry_run: DryRun = False, yes: Yes = False) -> None:
    """Delete the home of an image, with every file in it."""
    from liveos.cli.overlay.options import carry_out
    from liveos.medium.home.locate import open_home
    from liveos.operations.home.plans import remove as operation

    with open_home(stick) as found:
        plan = operation.plan(found, stick)
        place = str(found.place)
    if carry_out(output, plan, dry_run=dry_run, yes=yes):
        if output.as_json:
            output.document("home-remove", {"path": place})
        else:
            output.show(f"{place} is gone.")
