# SPDX-License-Identifier: Apache-2.0
"""Groups of verbs that are imported one by one, when they are run.

typer reads the signature of every verb that it knows of; with tables of names and summaries,
``liveos --help`` costs as much for thirty verbs as for three.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperGroup

from liveos.cli.options import verb

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter


class LazyGroup(TyperGroup):
    """A group of verbs: modules of ``package`` with a function of their own name in each.

    ``groups`` are those of its names that are groups themselves. A module may have
    ``CONTEXT_SETTINGS`` for the parser of its verb.
    """

    package: ClassVar[str]
    summaries: ClassVar[Mapping[str, str]]
    groups: ClassVar[Mapping[str, typer.Typer]] = {}

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - whatever typer passes
        super().__init__(**settings)
        self._loaded: dict[str, Command] = {}

    def list_commands(self, ctx: "Context") -> list[str]:  # noqa: ARG002 - typer's signature
        return list(self.summaries)

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":  # noqa: ARG002
        if cmd_name not in self.summaries:
            return None
        if cmd_name not in self._loaded:
            self._loaded[cmd_name] = self._load(cmd_name)
        return self._loaded[cmd_name]

    def resolve_command(
        self, ctx: "Context", args: list[str]
    ) -> "tuple[str | None, Command | None, list[str]]":
        # A name that is typed wrongly is compared with the keys of this mapping.
        self.commands = dict.fromkeys(self.summaries, self)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:  # noqa: ARG002
        if self.summaries:
            with formatter.section("Commands"):
                formatter.write_dl(list(self.summaries.items()))

    def _load(self, name: str) -> "Command":
        if name in self.groups:
            return typer.main.get_command(self.groups[name])
        module = import_module(f"{self.package}.{name}")
        app = typer.Typer(**PLAIN)
        settings = getattr(module, "CONTEXT_SETTINGS", {})
        app.command(name, context_settings=settings)(verb(getattr(module, name)))
        return typer.main.get_command(app)


PLAIN: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
}
