# SPDX-License-Identifier: Apache-2.0
"""``liveos inspect``: what a source holds, layer by layer."""

from pathlib import Path
from typing import Annotated

import typer

from liveos.cli.output import Output

Source = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE",
        help="An ISO, image file, stick, directory, or live.",
        readable=False,  # what may not be read is said by us, with what to do next
    ),
]


def inspect(output: Output, source: Source) -> None:
    """Show what a medium holds, layer by layer."""
    from liveos.medium.document import to_document
    from liveos.medium.live_scene import look

    medium = look(source)
    if output.as_json:
        output.document("inspect", to_document(medium))
        return
    from liveos.cli.medium_view import medium_view

    output.show(*medium_view(medium, verbose=output.verbose))
