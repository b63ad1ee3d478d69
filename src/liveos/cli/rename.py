# SPDX-License-Identifier: Apache-2.0
"""``liveos rename``: another name for an image of a stick."""

from typing import Annotated

import typer

from liveos.cli.images import Image
from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output

New = Annotated[str, typer.Argument(metavar="NEW", help="The name that it will have.")]


def rename(
    output: Output, image: Image, new: New, *, dry_run: DryRun = False, yes: Yes = False
) -> None:
    """Give an image of a stick another name."""
    from liveos.cli.overlay.options import carry_out
    from liveos.medium.stick import open_stick, parse_image
    from liveos.operations.images.plans import rename as operation

    path, name = parse_image(image)
    with open_stick(path) as stick:
        plan = operation.plan(stick, name, new)
    if carry_out(output, plan, dry_run=dry_run, yes=yes):
        if output.as_json:
            output.document("rename", {"stick": str(path), "name": new})
        else:
            output.show(f"{image} is called {new}.")
