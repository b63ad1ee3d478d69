# SPDX-License-Identifier: Apache-2.0
"""``liveos tools``: the external programs, present or missing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.output import Output
from liveos.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from liveos.host.inventory import Distribution, Presence

Check = Annotated[
    list[str] | None,
    typer.Option(
        "--check",
        metavar="VERB",
        help="List only what VERB needs, and end with status 5 if something is missing.",
    ),
]


def tools(output: Output, *, check: Check = None) -> ExitStatus:
    """List the external programs and whether they are here."""
    from liveos.host.inventory import distribution, look_for
    from liveos.host.tools import ALL_TOOLS

    asked = set(check or ())
    _refuse_unknown_verbs(asked)
    chosen = [tool for tool in ALL_TOOLS if not asked or asked.intersection(tool.verbs)]
    found = [look_for(tool) for tool in chosen]
    family = distribution()
    if output.as_json:
        output.document("tools", _document(found, family))
    else:
        output.show(_table(found, family))
    failed = asked and not all(each.is_usable for each in found)
    return ExitStatus.TOOL_MISSING if failed else ExitStatus.DONE


def _refuse_unknown_verbs(asked: set[str]) -> None:
    from liveos.host.tools import ALL_TOOLS

    known = sorted({name for tool in ALL_TOOLS for name in tool.verbs})
    unknown = sorted(asked.difference(known))
    if unknown:
        raise UsageError(
            f"no verb {unknown[0]!r} needs external programs", hint=f"verbs: {', '.join(known)}"
        )


def _document(found: list["Presence"], family: "Distribution | None") -> dict[str, object]:
    return {
        "distribution": family,
        "tools": [
            {
                "name": each.tool.name,
                "path": each.path,
                "version": each.version,
                "minimum": each.tool.minimum,
                "recent": each.is_recent,
                "usable": each.is_usable,
                "verbs": each.tool.verbs,
                "purpose": each.tool.purpose,
                "packages": {"debian": each.tool.debian, "fedora": each.tool.fedora},
            }
            for each in found
        ],
    }


def _table(found: list["Presence"], family: "Distribution | None") -> "Table":
    from liveos.cli.render import table

    package = f"{family.title()} package" if family else "package (Debian; Fedora)"
    lines = table("program", "state", "version", "at least", "needed by", package)
    for each in found:
        state, style = _state(each)
        lines.add_row(
            Path(each.path or each.tool.name).name,
            state,
            each.version or "-",
            each.tool.minimum or "-",
            ", ".join(each.tool.verbs),
            _package(each, family),
            style=style,
        )
    return lines


def _state(each: "Presence") -> tuple[str, str | None]:
    if each.path is None:
        return "missing", "bold red"
    return ("too old", "yellow") if each.is_recent is False else ("present", None)


def _package(each: "Presence", family: "Distribution | None") -> str:
    names = {"debian": each.tool.debian, "fedora": each.tool.fedora}
    return names[family] if family else f"{each.tool.debian}; {each.tool.fedora}"
