# SPDX-License-Identifier: Apache-2.0
"""A plan: everything that an operation will do, decided before anything is done.

Every path, UUID, size and argument in a plan is final; the same request and facts give the same
plan. A dry run is the plan, printed. ``liveos.operations.execute`` carries plans out.
"""

from dataclasses import dataclass
from pathlib import Path

from liveos.host.target import Target
from liveos.host.tools import Tool
from liveos.operations.steps.carry import CarryStep
from liveos.operations.steps.convert import ConvertStep
from liveos.operations.steps.home import HomeStep
from liveos.operations.steps.images import ImageStep
from liveos.operations.steps.layouts import LayoutStep
from liveos.operations.steps.loaders import LoaderStep
from liveos.operations.steps.memory import MemoryStep
from liveos.operations.steps.menus import MenuStep
from liveos.operations.steps.overlay import OverlayStep
from liveos.operations.steps.stick import Step

AnyStep = (
    Step
    | LayoutStep
    | LoaderStep
    | OverlayStep
    | ConvertStep
    | HomeStep
    | MenuStep
    | MemoryStep
    | ImageStep
    | CarryStep
)
"""All that plans are made of."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, what it needs, and what it will destroy.

    ``destroys`` names, one sentence each, everything that will be lost; it is empty when nothing
    is. ``needs`` and ``needs_files`` must be there, and ``target`` must still be what it was when
    the plan was made. ``layout`` shows where the space goes: (what, bytes). ``when_it_fails`` says
    in what state a run that fails leaves things, where ``target`` does not tell.
    """

    title: str
    steps: tuple[AnyStep, ...]
    destroys: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    needs: tuple[Tool, ...] = ()
    layout: tuple[tuple[str, int], ...] = ()
    needs_files: tuple[tuple[Path, Tool], ...] = ()
    source: Path | None = None
    target: Target | None = None
    when_it_fails: str | None = None


def plan_document(plan: Plan) -> dict[str, object]:
    """The plan as data, for ``--dry-run --json``."""
    return {
        "schema": "liveos/plan/1",
        "title": plan.title,
        "source": None if plan.source is None else str(plan.source),
        "target": None if plan.target is None else str(plan.target.path),
        "destroys": list(plan.destroys),
        "notes": list(plan.notes),
        "needs": [tool.name for tool in plan.needs],
        "layout": [{"what": what, "size": size} for what, size in plan.layout],
        "steps": [{"action": type(step).__name__, "text": str(step)} for step in plan.steps],
    }
