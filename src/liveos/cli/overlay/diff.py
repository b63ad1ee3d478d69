# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay diff``: which files an overlay changes, and what fills it."""

from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liveos.cli.output import Output
from liveos.cli.overlay.options import Origin, Overlay

if TYPE_CHECKING:
    from liveos.medium.overlay.changes.report import Report
    from liveos.medium.overlay.locate import OpenOverlay
    from liveos.operations.overlay.extract import Extraction

_LIVE_MEDIUM = Path("/run/initramfs/live")

Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="OVERLAY",
        help="Compare with the root as this other overlay makes it, not with the root itself.",
    ),
]
Extract = Annotated[
    Path | None,
    typer.Option(
        "--extract",
        metavar="DIR",
        help="Save added and changed files in this new directory, with a list of what could"
        " not be kept.",
    ),
]


def diff(
    output: Output,
    overlay: Overlay,
    *,
    origin: Origin = None,
    against: Against = None,
    extract: Extract = None,
) -> None:
    """Show which files an overlay changes, and what fills it."""
    from liveos.medium.overlay.changes.report import report

    with ExitStack() as stack:
        found, other = _opened(stack, overlay, against, origin)
        facts = report(found, other)
        saved = None if extract is None else _extracted(output, facts, extract)
        place = str(found.place)
    if output.as_json:
        other_place = None if other is None else str(other.place)
        output.document("overlay-diff", _document(facts, place, other_place, extract, saved))
        return
    from liveos.cli.overlay.diff_view import diff_view, extraction_line
    from liveos.cli.render import findings

    output.note(*findings(facts.findings))
    output.show(*diff_view(facts.changes, facts.usage, verbose=output.verbose))
    if saved is not None:
        output.show(extraction_line(saved, str(extract)))


def _opened(
    stack: ExitStack, overlay: str, against: str | None, origin: Path | None
) -> tuple["OpenOverlay", "OpenOverlay | None"]:
    """Both overlays; a bare store is over the root of the other one, unless one is named."""
    from liveos.medium.overlay.locate import open_overlay

    found = stack.enter_context(open_overlay(_place_of(overlay), origin))
    if against is None:
        return found, None
    other = stack.enter_context(open_overlay(against, origin))
    return (
        replace(found, origin=found.origin or other.origin),
        replace(other, origin=other.origin or found.origin),
    )


def _place_of(overlay: str) -> str:
    """The running system's overlay lies where dracut mounts its medium (boot-contract.md 2.0)."""
    from liveos.medium.overlay.live import LIVE

    is_live = overlay == LIVE and not Path(LIVE).exists() and _LIVE_MEDIUM.is_dir()
    return str(_LIVE_MEDIUM) if is_live else overlay


def _extracted(output: Output, facts: "Report", directory: Path) -> "Extraction":
    from liveos.cli.progress import reporter
    from liveos.operations.overlay.extract import extract

    with reporter(output) as chosen:
        return extract(facts.tree, facts.changes, directory, chosen)


def _document(
    facts: "Report",
    place: str,
    against: str | None,
    directory: Path | None,
    saved: "Extraction | None",
) -> dict[str, Any]:
    return {
        "path": place,
        "against": against,
        **asdict(facts.changes),
        "usage": [asdict(each) for each in facts.usage],
        "extracted": saved
        and {
            "path": directory,
            "saved": saved.saved,
            "size": saved.size,
            "not_saved": [asdict(each) for each in saved.unsaved],
            "not_set": len(saved.unset),
        },
        "warnings": [asdict(each) for each in facts.findings],
    }
