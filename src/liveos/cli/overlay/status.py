# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay status``: how full an overlay is, and what it is heading for."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liveos.cli.output import Output
from liveos.cli.overlay.options import Force, Origin, Overlay
from liveos.errors import ExitStatus, RefusedError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from liveos.medium.overlay.locate import OpenOverlay
    from liveos.medium.overlay.map import Analysis
    from liveos.medium.overlay.status import OverlayStatus

_TERMINAL = "-"


@dataclass(frozen=True, slots=True)
class _Facts:
    status: "OverlayStatus"
    analysis: "Analysis | None" = None


def status(
    output: Output,
    overlay: Overlay,
    *,
    origin: Origin = None,
    analyse: Annotated[
        bool, typer.Option("--analyse", help="Also tell what of it is in use, deleted or equal.")
    ] = False,
    picture: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help="Draw where the changes lie, to FILE.svg or FILE.png, or here for -.",
        ),
    ] = None,
    force: Force = False,
) -> ExitStatus:
    """Show how full an overlay is, and what will happen when it fills."""
    if picture is not None:
        _check_picture(output, picture, force=force)
    facts = _facts(output, overlay, origin, analyse=analyse or picture is not None)
    drawn = picture not in {None, _TERMINAL} and facts.analysis is not None
    if drawn:
        _draw(Path(picture or ""), facts, force=force)
    if output.as_json:
        output.document("overlay-status", document(facts.status, facts.analysis))
    else:
        output.show(*_view(facts, with_map=picture == _TERMINAL))
    if drawn and not (output.as_json or output.quiet):
        output.note(f"the map is in {picture}")
    return ExitStatus.DONE if facts.status.is_readable else ExitStatus.UNSUPPORTED


def _check_picture(output: Output, picture: str, *, force: bool) -> None:
    """What can be said against the place of a picture before anything is read."""
    if picture == _TERMINAL:
        if output.as_json:
            raise UsageError("a map in the terminal cannot be told as JSON", hint="name a file")
        return
    if Path(picture).suffix.lower() not in {".svg", ".png"}:
        raise UsageError(f"{picture}: a map is drawn as .svg or .png", hint="or here, with --map -")
    if Path(picture).exists() and not force:
        raise RefusedError(f"{picture} exists already", hint="add --force to replace it")


def _facts(output: Output, overlay: str, origin: Path | None, *, analyse: bool) -> _Facts:
    from liveos.medium.overlay.live import LIVE, live_status
    from liveos.medium.overlay.locate import open_overlay
    from liveos.medium.overlay.status import overlay_status

    if overlay == LIVE and not Path(LIVE).exists():
        if analyse:
            raise UnsupportedError(
                "what fills the overlay of the running system cannot be told while it runs",
                hint="start from another medium, and name the stick",
            )
        return _Facts(live_status())
    with open_overlay(overlay, origin, recorded=True, direct=True) as found:
        facts = overlay_status(found, overlay)
        # Of what cannot be read, the status alone says why.
        return _Facts(facts, _analysed(output, found) if analyse and facts.is_readable else None)


def _analysed(output: Output, found: "OpenOverlay") -> "Analysis":
    from liveos.cli.progress import reporter
    from liveos.medium.overlay.map import analyse

    with reporter(output) as chosen:
        chosen.step("Compare what changed with the root", 1, 1)
        return analyse(found, chosen.progress)


def _draw(path: Path, facts: _Facts, *, force: bool) -> None:
    from liveos.cli.overlay.drawing import png, svg
    from liveos.cli.overlay.picture import picture

    assert facts.analysis is not None
    drawing = picture(facts.status, facts.analysis)
    data = png(drawing) if path.suffix.lower() == ".png" else svg(drawing).encode()
    with path.open("wb" if force else "xb") as file:
        file.write(data)


def _view(facts: _Facts, *, with_map: bool) -> "list[RenderableType]":
    from liveos.cli.overlay.status_view import status_view

    parts = list(status_view(facts.status))
    if facts.analysis is not None:
        from liveos.cli.overlay.map_view import FillView, MapView

        parts.append(FillView(facts.status, facts.analysis))
        if with_map:
            parts.append(MapView(facts.analysis))
    return parts


def document(facts: "OverlayStatus", analysis: "Analysis | None" = None) -> dict[str, Any]:
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
        "read_only": facts.read_only,
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
            "opaque": held.opaque,
            "size": held.size,
        },
        "analysis": None if analysis is None else _analysis_document(analysis),
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


def _analysis_document(analysis: "Analysis") -> dict[str, Any]:
    from liveos.medium.overlay.map import Part

    sizes = {f"{part.name.lower()}_size": analysis.size(part) for part in Part}
    live = sum(analysis.size(part) for part in (Part.FILES, Part.STRUCTURE, Part.JOURNAL))
    return {
        "live_size": live,
        **sizes,
        "gain_size": analysis.gain,
        "problem": analysis.problem,
    }
