# SPDX-License-Identifier: Apache-2.0
"""The command line as a whole: the groups of verbs, and what may stand before a verb."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import typer

from liveos import __version__
from liveos.cli.lazy import LazyGroup
from liveos.cli.options import verb
from liveos.cli.output import Output
from liveos.cli.verbs import HOME_VERBS, OVERLAY_VERBS, VERBS


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with one value
    if wanted:
        print(f"liveos {__version__}")
        raise typer.Exit


class OverlayVerbs(LazyGroup):
    """``liveos overlay VERB``."""

    package = "liveos.cli.overlay"
    summaries: ClassVar[Mapping[str, str]] = OVERLAY_VERBS


overlay = typer.Typer(
    name="overlay",
    cls=OverlayVerbs,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)


@overlay.callback()
@verb
def before_the_overlay_verb(_output: Output) -> None:
    """See, check, repair and reshape the persistent overlay."""


class HomeVerbs(LazyGroup):
    """``liveos home VERB``."""

    package = "liveos.cli.home"
    summaries: ClassVar[Mapping[str, str]] = HOME_VERBS


home = typer.Typer(
    name="home",
    cls=HomeVerbs,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)


@home.callback()
@verb
def before_the_home_verb(_output: Output) -> None:
    """See, make and remove the persistent home."""


class Verbs(LazyGroup):
    """``liveos VERB``."""

    package = "liveos.cli"
    summaries: ClassVar[Mapping[str, str]] = VERBS
    groups: ClassVar[Mapping[str, typer.Typer]] = {"overlay": overlay, "home": home}


app = typer.Typer(
    name="liveos",
    cls=Verbs,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


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
    """The whole life of a LiveOS stick: inspect, install, boot, prove, keep its overlay healthy."""
