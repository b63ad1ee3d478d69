# SPDX-License-Identifier: Apache-2.0
"""``liveos list``: the images on a stick."""

from pathlib import Path
from typing import Annotated

import typer

from liveos.cli.output import Output

Source = Annotated[
    Path,
    typer.Argument(
        metavar="STICK",
        help="A stick, image file, ISO, directory, or live.",
        readable=False,  # what may not be read is said by us, with what to do next
    ),
]


def list(output: Output, stick: Source) -> None:  # noqa: A001 - it is the verb's name
    """List the images on a stick, with what each remembers by."""
    from liveos.medium.listing import list_images

    listing = list_images(stick)
    if output.as_json:
        from liveos.medium.document import listing_document

        output.document("list", listing_document(listing))
        return
    from liveos.cli.list_view import listing_view

    output.show(*listing_view(listing))
