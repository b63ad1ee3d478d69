# SPDX-License-Identifier: Apache-2.0
"""What the verbs of the home have in common."""

from typing import Annotated

import typer

Stick = Annotated[
    str,
    typer.Argument(metavar="STICK", help="A stick, or one of its images as STICK:NAME."),
]
KeyFile = Annotated[
    str | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help="The passphrase is all that is in this file; - reads standard input.",
    ),
]
