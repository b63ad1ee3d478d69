# SPDX-License-Identifier: Apache-2.0
"""A plan: everything that an operation will do, decided before anything is done.

Every path, UUID, size and argument in a plan is final; the same request and facts give the same
plan. A dry run is the plan, printed. ``liveos.operations.execute`` carries plans out.
"""

from dataclasses import dataclass

from liveos.host.tools import Tool
from liveos.operations.steps import Step


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, what it needs, and what it will destroy.

    ``destroys`` names, one sentence each, everything that will be lost; it is empty when nothing
    is. ``layout`` shows where the space goes: (what, bytes).
    """

    title: str
    steps: tuple[Step, ...]
    destroys: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    needs: tuple[Tool, ...] = ()
    layout: tuple[tuple[str, int], ...] = ()
