# SPDX-License-Identifier: Apache-2.0
"""The plan of ``home remove``."""

import shlex

from liveos.errors import UnsupportedError
from liveos.medium.home.locate import OpenHome
from liveos.medium.home.status import home_status
from liveos.operations.home.plans.mounting import removals
from liveos.operations.home.plans.record import noted
from liveos.operations.plan import Plan
from liveos.operations.steps.home import RemoveHome
from liveos.sizes import format_size


def plan(found: OpenHome, spec: str) -> Plan:
    """Delete a home with everything in it; :raises UnsupportedError: there is none."""
    status = home_status(found)
    if status.size is None:
        raise UnsupportedError(
            f"{spec}: the image {found.image.name} has no home of its own",
            hint=f"liveos home create {shlex.quote(spec)} --size SIZE makes one",
        )
    used = "" if status.used_size is None else f", {format_size(status.used_size)} of it in use"
    loss = f"{found.place} ({status.kind}, {format_size(status.size)}{used}), with every file in it"
    before = tuple(removals(found))
    return Plan(
        title=f"remove the home of {found.image.name}",
        # The words first: no boot must look for a home that is not there.
        steps=(*before, RemoveHome(found.place), *noted(found, before, None, ())),
        destroys=(loss,),
    )
