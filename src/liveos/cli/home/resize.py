# SPDX-License-Identifier: Apache-2.0
"""``liveos home resize``: more room, or less."""

from contextlib import ExitStack
from typing import Annotated

import typer

from liveos.cli.home.options import KeyFile, Stick
from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output


def resize(
    output: Output,
    stick: Stick,
    *,
    size: Annotated[
        str,
        typer.Option(
            "--size",
            metavar="SIZE",
            help="The new size: 4G; a share of what it has and what is free; or rest.",
        ),
    ],
    key_file: KeyFile = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Make a home larger or smaller; every file in it stays."""
    from liveos.cli.home.passphrase import known_key
    from liveos.cli.overlay.options import carry_out
    from liveos.medium.home.locate import open_home
    from liveos.operations.home.plans import resize as operation
    from liveos.operations.home.plans.existing import is_for_key, with_key
    from liveos.sizes import parse_size

    with open_home(stick) as found:
        plan = operation.plan(found, stick, parse_size(size))
        place = str(found.place)
    with ExitStack() as stack:
        if is_for_key(plan) and not dry_run:
            plan = with_key(plan, stack.enter_context(known_key(key_file)))
        if not carry_out(output, plan, dry_run=dry_run, yes=yes):
            return
    if output.as_json:
        output.document("home-resize", {"path": place, "size": _size(stick)})
    else:
        output.show(f"{place} has {_size(stick)} bytes now.")


def _size(stick: str) -> int | None:
    from liveos.medium.home.locate import open_home

    with open_home(stick) as found:
        return None if found.source is None else found.source.size
