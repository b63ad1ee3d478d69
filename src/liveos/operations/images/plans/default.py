# SPDX-License-Identifier: Apache-2.0
"""The plan of ``default``: one write, by which another image stands first in the menu."""

from liveos.host.tools import MTOOLS
from liveos.medium.stick import OpenStick, require_image
from liveos.operations.images.menus import start_first
from liveos.operations.images.mounted import check_esp
from liveos.operations.plan import Plan


def plan(stick: OpenStick, name: str | None) -> Plan:
    """Let the first entry of an image start by itself; no step where it does so already."""
    name = require_image(stick, name)
    check_esp(stick)
    steps = tuple(start_first(stick, name))
    return Plan(
        title=f"let {stick.path} start {name} by itself",
        steps=steps,
        notes=() if steps else (f"{name} starts by itself already",),
        needs=(MTOOLS,),
    )
