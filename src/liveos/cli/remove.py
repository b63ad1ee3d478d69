# SPDX-License-Identifier: Apache-2.0
"""``liveos remove``: take an image off a stick."""

from typing import Annotated

import typer

from liveos.cli.images import Image
from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output

Force = Annotated[bool, typer.Option("--force", help="Remove the last image of the stick, too.")]


def remove(
    output: Output, image: Image, *, force: Force = False, dry_run: DryRun = False, yes: Yes = False
) -> None:
    """Remove an image from a stick, with its memory."""
    from liveos.cli.overlay.options import carry_out
    from liveos.medium.old_stick import OldStick, open_any_stick
    from liveos.medium.stick import parse_image
    from liveos.operations.images.plans import remove as operation
    from liveos.operations.images.plans import remove_old

    path, name = parse_image(image)
    with open_any_stick(path) as stick:
        if isinstance(stick, OldStick):
            plan = remove_old.plan(stick, name, force=force)
        else:
            plan = operation.plan(stick, name, force=force)
    if carry_out(output, plan, dry_run=dry_run, yes=yes):
        if output.as_json:
            output.document("remove", {"stick": str(path), "name": name})
        else:
            output.show(f"{image} is gone.")
