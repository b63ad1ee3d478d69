# SPDX-License-Identifier: Apache-2.0
"""``liveos devices``: which block devices can become a stick, and for each other one why not."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from liveos.cli.options import AllowFixed
from liveos.cli.output import Output

if TYPE_CHECKING:
    from liveos.operations.install.candidates import Candidate

All = Annotated[
    bool, typer.Option("--all", "-a", help="Also show the devices that are refused, and why.")
]


def devices(
    output: Output,
    *,
    show_all: All = False,
    allow_fixed: AllowFixed = False,
) -> None:
    """List the devices that can become a stick, with what is on them."""
    from liveos.cli.devices_view import devices_view
    from liveos.host.block.machine import Machine
    from liveos.operations.install.candidates import candidates

    refused_too = show_all or output.as_json
    found = list(candidates(Machine(), allow_fixed=allow_fixed, refused_too=refused_too))
    if output.as_json:
        output.document("devices", {"devices": [_document(each) for each in found]})
        return
    output.show(*devices_view(found))
    if not found and not output.quiet:
        output.note("liveos devices --all shows which devices are refused, and why.")


def _document(found: "Candidate") -> dict[str, Any]:
    device = found.device
    return {
        "path": str(device.path),
        "size": device.size,
        "bus": device.bus,
        "model": device.model,
        "serial": device.serial,
        "diskseq": device.diskseq,
        "removable": device.is_removable,
        "read_only": device.is_read_only,
        "table": device.table,
        "filesystem": device.filesystem,
        "label": device.label,
        "partitions": [
            {
                "path": str(part.path),
                "size": part.size,
                "name": part.name,
                "filesystem": part.filesystem,
                "label": part.label,
            }
            for part in device.parts
        ],
        "images": None
        if found.images is None
        else [{"name": each.name, "title": each.title} for each in found.images],
        "uses": [use.sentence for use in device.uses],
        "refused": None if found.refusal is None else found.refusal.message,
        "hint": None if found.refusal is None else found.refusal.hint,
    }
