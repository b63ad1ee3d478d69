# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay remove``: an image without memory again."""

from liveos.cli.home.options import Stick
from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output


def remove(output: Output, stick: Stick, *, dry_run: DryRun = False, yes: Yes = False) -> None:
    """Delete the overlay of an image, with every change in it."""
    from liveos.cli.overlay.options import carry_out
    from liveos.medium.installation import open_installation
    from liveos.operations.overlay.plans import remove as operation

    with open_installation(stick) as found:
        plan = operation.plan(found)
        name = found.image.name
    if carry_out(output, plan, dry_run=dry_run, yes=yes):
        if output.as_json:
            output.document("overlay-remove", {"image": name})
        else:
            output.show(f"{name} starts without an overlay now; what it had kept is gone.")
