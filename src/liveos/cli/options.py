# SPDX-License-Identifier: Apache-2.0
"""Options that mean the same in every verb, declared once."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Concatenate

import typer

from liveos.cli.output import Output, ProgressStyle
from liveos.errors import ExitStatus

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before changing something.")]

AllowFixed = Annotated[
    bool, typer.Option("--allow-fixed", help="Allow to write to disks that cannot be pulled out.")
]


def manner(
    context: typer.Context,
    *,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say only warnings and errors.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more; show tracebacks.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="Do not use colours.")] = False,
    progress: Annotated[
        ProgressStyle, typer.Option("--progress", help="How progress is shown.")
    ] = ProgressStyle.AUTO,
) -> Output:
    """The options that may stand before a verb and after it, together.

    A verb's context starts with the object of the context before it.
    """
    own = Output(quiet, verbose, as_json, no_color, progress)
    before = context.obj
    joined = before.joined_with(own) if isinstance(before, Output) else own
    context.obj = joined
    return joined


def verb(
    function: Callable[Concatenate[Output, ...], ExitStatus | None],
) -> Callable[..., ExitStatus | None]:
    """Make a verb of ``function``, which takes an `Output` first and then its own words.

    typer learns a verb's options from its signature, so the joined one is written down there.
    """
    shared = inspect.signature(manner).parameters
    own = list(inspect.signature(function).parameters.values())[1:]

    @wraps(function)
    def run(**words: Any) -> ExitStatus | None:  # noqa: ANN401 - typer has checked the types
        output = manner(**{name: words.pop(name) for name in shared})
        return function(output, **words)

    joined = [*own, *shared.values()]
    keyword_only = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in joined]
    run.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
    return run
