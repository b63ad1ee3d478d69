# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay pack``: an overlay's metadata for a bug report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.output import Output
from liveos.cli.overlay.options import Force, Overlay

if TYPE_CHECKING:
    from liveos.medium.overlay.recording import Legible

Pack = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="Write the pack to this new file.")
]


def pack(output: Output, overlay: Overlay, *, file: Pack, force: Force = False) -> None:
    """Make a small file of an overlay's metadata, without any contents, for a bug report."""
    from liveos.formats.exception_store import write_pack
    from liveos.host.folders.new_file import new_file, write_stream
    from liveos.medium.overlay.locate import open_overlay
    from liveos.medium.overlay.recording import read_legible

    with open_overlay(overlay, recorded=True) as found:
        source = found.need_store()
        legible = read_legible(source)
        with new_file(file, 0, replaces=force) as descriptor:
            write_stream(descriptor, write_pack(source, legible.spans))
    _say(output, file, legible)


def _say(output: Output, file: Path, legible: "Legible") -> None:
    from liveos.sizes import format_size

    size, count = file.stat().st_size, legible.store.count
    if output.as_json:
        output.document("overlay-pack", {"path": str(file), "size": size, "exceptions": count})
    else:
        output.show(
            f"{file}: {format_size(size)}, the places of {count} changed chunks."
            " It has no contents of files, and none of their names."
        )
