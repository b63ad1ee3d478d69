# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay check``: what is wrong with an overlay."""

from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.output import Output
from liveos.cli.overlay.options import Origin, Overlay
from liveos.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from liveos.medium.overlay.check import Level, StoreCheck
    from liveos.medium.overlay.locate import OpenOverlay

HeaderOnly = Annotated[bool, typer.Option("--header-only", help="Look at its first bytes only.")]
SkipMappings = Annotated[
    bool, typer.Option("--skip-mappings", help="Do not look into the entries of its list.")
]
Filesystem = Annotated[
    bool,
    typer.Option("--fs", help="Also check the filesystem that the system would see, by e2fsck."),
]


def check(
    output: Output,
    overlay: Overlay,
    *,
    origin: Origin = None,
    header_only: HeaderOnly = False,
    skip_mappings: SkipMappings = False,
    fs: Filesystem = False,
) -> ExitStatus:
    """Say what is wrong with the overlay, what that does, and what repairs it."""
    from liveos.medium.overlay.locate import open_overlay

    level = _level(header_only=header_only, skip_mappings=skip_mappings, fs=fs)
    with open_overlay(overlay, origin, recorded=True) as found:
        result, words = _examined(output, found, level, fs=fs)
        place, kind = str(found.place), str(found.kind)
    if output.as_json:
        content = {"path": place, "kind": kind, **document(result), "e2fsck": words}
        output.document("overlay-check", content)
    else:
        from liveos.cli.overlay.check_view import check_view

        named = (overlay, *(("--origin", str(origin)) if origin else ()))
        output.show(*check_view(result, place, named, words if output.verbose else None))
    return ExitStatus.DONE if result.is_clean else ExitStatus.PROBLEMS_FOUND


def _examined(
    output: Output, overlay: "OpenOverlay", level: "Level", *, fs: bool
) -> tuple["StoreCheck", str | None]:
    """The result, and what e2fsck said if it was asked."""
    from liveos.medium.overlay.examine import examine, examine_filesystem

    result = examine(overlay, level)
    if not fs:
        return result, None
    from liveos.cli.progress import reporter

    with reporter(output) as chosen:
        chosen.step("Check a copy of its filesystem with e2fsck", 1, 1)
        return examine_filesystem(overlay, result, chosen)


def document(result: "StoreCheck") -> dict[str, object]:
    """The state and the findings as data."""
    findings = [
        {
            "code": each.code,
            "severity": str(each.severity),
            "message": each.message,
            "repair": each.repair,
        }
        for each in result.findings
    ]
    return {"state": str(result.state), "findings": findings}


def _level(*, header_only: bool, skip_mappings: bool, fs: bool) -> "Level":
    from liveos.medium.overlay.check import Level

    if header_only + skip_mappings + fs > 1:
        raise UsageError(
            "--header-only, --skip-mappings and --fs exclude each other",
            hint="--header-only looks at the least, --fs at the most",
        )
    if header_only:
        return Level.HEADER
    return Level.LIST if skip_mappings else Level.RECORDS
