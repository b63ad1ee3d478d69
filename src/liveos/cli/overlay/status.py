# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay status``: how full an overlay is, and what it is heading for."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from liveos.cli.output import Output
from liveos.cli.overlay.options import Origin, Overlay
from liveos.errors import ExitStatus

if TYPE_CHECKING:
    from liveos.medium.overlay.status import OverlayStatus


def status(output: Output, overlay: Overlay, *, origin: Origin = None) -> ExitStatus:
    """Show how full an overlay is, and what will happen when it fills."""
    facts = _facts(overlay, origin)
    show(output, facts)
    return ExitStatus.DONE if facts.is_readable else ExitStatus.UNSUPPORTED


def _facts(overlay: str, origin: Path | None) -> "OverlayStatus":
    from liveos.medium.overlay.live import LIVE, live_status
    from liveos.medium.overlay.locate import open_overlay
    from liveos.medium.overlay.status import overlay_status

    if overlay == LIVE and not Path(LIVE).exists():
        return live_status()
    with open_overlay(overlay, origin, recorded=True) as found:
        return overlay_status(found, overlay)


def show(output: Output, facts: "OverlayStatus") -> None:
    """Print the status, for people or as JSON."""
    if output.as_json:
        output.document("overlay-status", document(facts))
        return
    from liveos.cli.overlay.status_view import status_view

    output.show(*status_view(facts))


def document(facts: "OverlayStatus") -> dict[str, Any]:
    """The status as scripts get it; sizes are bytes unless the name says sectors."""
    use, coming, held = facts.usage, facts.forecast, facts.contents
    return {
        "kind": facts.kind,
        "path": facts.path,
        "state": facts.state,
        "status_line": facts.status_line,
        "allocated_sectors": use and use.allocated,
        "total_sectors": use and use.total,
        "metadata_sectors": use and use.metadata,
        "chunk_sectors": facts.chunk_sectors,
        "exceptions": facts.exceptions,
        "size": facts.size,
        "free_size": facts.free_size,
        "free_chunks": facts.free_chunks,
        "origin": facts.origin,
        "filesystem": facts.filesystem,
        "forecast": coming
        and {
            "ending": coming.ending,
            "new_chunks": coming.new_chunks,
            "unchanged_chunks": coming.unchanged,
        },
        "contents": held
        and {
            "files": held.files,
            "directories": held.directories,
            "whiteouts": held.whiteouts,
            "size": held.size,
        },
        "warnings": [
            {
                "code": each.code,
                "severity": each.severity,
                "message": each.message,
                "repair": each.repair,
            }
            for each in facts.warnings
        ],
    }
