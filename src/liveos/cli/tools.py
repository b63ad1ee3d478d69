# SPDX-License-Identifier: Apache-2.0
"""``liveos tools``: the external programs, present or missing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.output import Output
from liveos.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from liveos.host.inventory import DataFile, Distribution, Presence
    from liveos.host.tools import Tool

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
    from liveos.host.inventory import distribution, look_for, look_for_files
    from liveos.host.tools import ALL_TOOLS

    asked = set(check or ())
    _refuse_unknown_verbs(asked)
    chosen = [tool for tool in ALL_TOOLS if not asked or asked.intersection(tool.verbs)]
    found = [look_for(tool) for tool in chosen]
    files = [file for file in look_for_files() if not asked or asked.intersection(file.verbs)]
    family = distribution()
    if output.as_json:
        output.document("tools", _document(found, files, family))
    else:
        output.show(_table(found, files, family))
    usable = all(each.is_usable for each in found) and all(file.path for file in files)
    failed = asked and not usable
    return ExitStatus.TOOL_MISSING if failed else ExitStatus.DONE


def _refuse_unknown_verbs(asked: set[str]) -> None:
    from liveos.host.tools import ALL_TOOLS

    known = sorted({name for tool in ALL_TOOLS for name in tool.verbs})
    unknown = sorted(asked.difference(known))
    if unknown:
        raise UsageError(
            f"no verb {unknown[0]!r} needs external programs", hint=f"verbs: {', '.join(known)}"
        )


def _document(
    found: list["Presence"], files: list["DataFile"], family: "Distribution | None"
) -> dict[str, object]:
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
        "files": [
            {
                "name": file.name,
                "path": file.path,
                "verbs": file.verbs,
                "packages": {"debian": file.debian, "fedora": file.fedora},
            }
            for file in files
        ],
    }


def _table(
    found: list["Presence"], files: list["DataFile"], family: "Distribution | None"
) -> "Table":
    from liveos.cli.render import table

    package = f"{family.title()} package" if family else "package (Debian; Fedora)"
    lines = table("program or file", "state", "version", "at least", "needed by", package)
    for each in found:
        state, style = _state(each)
        lines.add_row(
            Path(each.path or each.tool.name).name,
            state,
            each.version or "-",
            each.tool.minimum or "-",
            ", ".join(each.tool.verbs),
            _package(each.tool, family),
            style=style,
        )
    for file in files:
        state, style = ("present", None) if file.path else ("missing", "bold red")
        verbs, package = ", ".join(file.verbs), _package(file, family)
        lines.add_row(file.name, state, "-", "-", verbs, package, style=style)
    return lines


def _state(each: "Presence") -> tuple[str, str | None]:
    if each.path is None:
        return "missing", "bold red"
    return ("too old", "yellow") if each.is_recent is False else ("present", None)


def _package(brought: "Tool | DataFile", family: "Distribution | None") -> str:
    names = {"debian": brought.debian, "fedora": brought.fedora}
    return names[family] if family else f"{brought.debian}; {brought.fedora}"
