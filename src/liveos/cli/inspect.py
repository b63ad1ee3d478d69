# SPDX-License-Identifier: Apache-2.0
"""``liveos inspect``: what a source holds, layer by layer."""

from pathlib import Path
from typing import Annotated

import typer

from liveos.cli.output import Output

Source = Annotated[
    Path,
    typer.Argument(metavar="SOURCE", help="An ISO, image file, stick or directory."),
]


def inspect(output: Output, source: Source) -> None:
    """Show what a medium holds, layer by layer."""
    from liveos.medium.document import to_document
    from liveos.medium.inspect import inspect as read_facts

    medium = read_facts(source)
    if output.as_json:
        output.document("inspect", to_document(medium))
        return
    from liveos.cli.medium_view import medium_view

    output.show(*medium_view(medium, verbose=output.verbose))
