# SPDX-License-Identifier: Apache-2.0
"""What the verbs for the images of a stick have in common."""

from typing import Annotated

import typer

Image = Annotated[
    str,
    typer.Argument(
        metavar="STICK:NAME",
        help="A stick, or where it is mounted, and the name of an image on it.",
    ),
]
