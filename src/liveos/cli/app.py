# SPDX-License-Identifier: Apache-2.0
"""The command line as a whole: which verbs there are."""

from typing import Annotated

import typer

from liveos import __version__
from liveos.cli.boot import boot
from liveos.cli.inspect import inspect
from liveos.cli.install import install
from liveos.cli.options import verb
from liveos.cli.output import Output
from liveos.cli.prove import prove
from liveos.cli.tools import tools


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with one value
    if wanted:
        print(f"liveos {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="liveos",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

VERBS = (inspect, install, boot, prove, tools)

for each in VERBS:
    app.command()(verb(each))


@app.callback()
@verb
def before_the_verb(
    _output: Output,
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """The whole life of a LiveOS stick: inspect, install, boot, prove."""
