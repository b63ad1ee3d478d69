# SPDX-License-Identifier: Apache-2.0
"""Every verb of the command line, also those of groups, by the words that name it."""

from typing import Any

import typer.main

from liveos.cli.app import app
from liveos.cli.lazy import LazyGroup

ROOT: Any = typer.main.get_command(app)


def _verbs(group: LazyGroup, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in group.summaries:
        command: Any = group.get_command(typer.Context(ROOT), name)
        words = f"{prefix}{name}"
        found |= (
            _verbs(command, f"{words} ") if isinstance(command, LazyGroup) else {words: command}
        )
    return found


VERBS: dict[str, Any] = _verbs(ROOT)


def options(command: Any) -> set[str]:  # noqa: ANN401 - typer's own command types are private
    """Every spelling of every option of a command, but for the way to its help."""
    names = {name for parameter in command.params for name in parameter.opts}
    return {name for name in names if name.startswith("-")} - {"--help", "-h"}
