# SPDX-License-Identifier: Apache-2.0
"""``liveos default``: which image of a stick starts by itself."""

from liveos.cli.images import Image
from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output


def default(output: Output, image: Image, *, dry_run: DryRun = False, yes: Yes = False) -> None:
    """Choose which image of a stick starts by itself."""
    from liveos.cli.overlay.options import carry_out
    from liveos.medium.stick import open_stick, parse_image
    from liveos.operations.images.plans import default as operation

    path, name = parse_image(image)
    with open_stick(path) as stick:
        plan = operation.plan(stick, name)
    if carry_out(output, plan, dry_run=dry_run, yes=yes):
        if output.as_json:
            output.document("default", {"stick": str(path), "name": name})
        else:
            output.show(f"{image} starts by itself.")
