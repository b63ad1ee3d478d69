# SPDX-License-Identifier: Apache-2.0
"""``liveos litd``: the command line of livecd-iso-to-disk, done by ``liveos install``."""

import shlex
import sys
from typing import Annotated, Any

import typer

from liveos.cli.output import Output, ProgressStyle
from liveos.errors import ExitStatus, UsageError

CONTEXT_SETTINGS = {"ignore_unknown_options": True}
"""Old options are for us to read, in the order in which they stand."""

OldWords = Annotated[
    list[str],
    typer.Argument(
        metavar="WORD",
        help="Old options, source and target; --dry-run, --yes, --size, --key-file, --serial, too.",
    ),
]


def litd(output: Output, words: OldWords) -> ExitStatus:
    """Do what a livecd-iso-to-disk line asks for, and show it in the words of install.

    Old options stand before source and target, as they did. One that asks for what liveos does not
    do is refused, with what to do instead.
    """
    from liveos.cli.litd_modern import modern
    from liveos.cli.main import main

    line = modern(words)
    _require_offered(line)
    shown = [*line[:1], *_manner(output), *line[1:]]
    print(f"liveos {shlex.join(shown)}", file=sys.stderr, flush=True)
    return ExitStatus(main(shown))


def _manner(output: Output) -> list[str]:
    """The shared options that were given, to be given to the other verb."""
    said = {
        "--quiet": output.quiet,
        "--verbose": output.verbose,
        "--json": output.as_json,
        "--no-color": output.no_color,
    }
    progress = [] if output.progress is ProgressStyle.AUTO else [f"--progress={output.progress}"]
    return [*(name for name, is_said in said.items() if is_said), *progress]


def _require_offered(line: tuple[str, ...]) -> None:
    """:raises UsageError: the verb does not have an option that the old line needs."""
    offered = _options(line[0])
    for word in line[1:-2]:
        if word.startswith("--") and word not in offered:
            raise UsageError(
                f"this needs liveos {line[0]} {word}, which is not offered yet",
                hint=f"the whole line would be: liveos {shlex.join(line)}",
            )


def _options(verb: str) -> frozenset[str]:
    """The names of the options of a verb, by its own declaration."""
    from liveos.cli.app import app

    group: Any = typer.main.get_command(app)
    command = group.get_command(typer.Context(group), verb)
    return frozenset(name for each in command.params for name in each.opts)
