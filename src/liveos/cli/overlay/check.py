# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay check``: what is wrong with an overlay."""

from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.output import Output
from liveos.cli.overlay.options import Origin, Overlay
from liveos.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from liveos.medium.overlay.check import Level

HeaderOnly = Annotated[bool, typer.Option("--header-only", help="Look at its first bytes only.")]
SkipMappings = Annotated[
    bool, typer.Option("--skip-mappings", help="Do not look into the entries of its list.")
]


def check(
    output: Output,
    overlay: Overlay,
    *,
    origin: Origin = None,
    header_only: HeaderOnly = False,
    skip_mappings: SkipMappings = False,
) -> ExitStatus:
    """Say what is wrong with the overlay, what that does, and what repairs it."""
    from liveos.medium.overlay.examine import examine
    from liveos.medium.overlay.locate import open_overlay

    level = _level(header_only=header_only, skip_mappings=skip_mappings)
    with open_overlay(overlay, origin, recorded=True) as found:
        result = examine(found, level)
        place, kind = str(found.place), str(found.kind)
    if output.as_json:
        findings = [
            {
                "code": each.code,
                "severity": str(each.severity),
                "message": each.message,
                "repair": each.repair,
            }
            for each in result.findings
        ]
        content = {"path": place, "kind": kind, "state": str(result.state), "findings": findings}
        output.document("overlay-check", content)
    else:
        from liveos.cli.overlay.check_view import check_view

        words = (overlay, *(("--origin", str(origin)) if origin else ()))
        output.show(*check_view(result, place, words))
    return ExitStatus.DONE if result.is_clean else ExitStatus.PROBLEMS_FOUND


def _level(*, header_only: bool, skip_mappings: bool) -> "Level":
    from liveos.medium.overlay.check import Level

    if header_only and skip_mappings:
        raise UsageError(
            "--header-only and --skip-mappings exclude each other",
            hint="--header-only looks at less",
        )
    if header_only:
        return Level.HEADER
    return Level.LIST if skip_mappings else Level.RECORDS
