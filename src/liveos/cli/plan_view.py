# SPDX-License-Identifier: Apache-2.0
"""A plan for people: what will be lost, where the space goes, and each step."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from liveos.cli.render import heading, size, table, words
from liveos.cli.text import printable
from liveos.operations.plan import Plan

_MOST_STEPS = 9


def plan_view(plan: Plan, *, complete: bool = True) -> Iterator[RenderableType]:
    """The parts of the view in order; what will be destroyed stands last, where it is read.

    A ``complete`` view has the whole line of each step, with every path and argument. Another one
    is read before a question: many steps would push the rest from the screen.
    """
    yield Text(words(f"Plan: {plan.title}"), "bold")
    if plan.layout:
        yield _layout(plan)
    yield _steps(plan, complete=complete)
    for note in plan.notes:
        yield Text(printable(f"note: {note}"))
    if plan.destroys:
        yield losses(plan)


def losses(plan: Plan) -> RenderableType:
    """What will be lost, one line each."""
    lines = [Text(f"  {words(loss)}", "bold red") for loss in plan.destroys]
    return Group(Text("This will be lost:", "bold red"), *lines)


def _layout(plan: Plan) -> RenderableType:
    """Partitions with their share of the whole; what lies in one stands below it."""
    parts = [(what, amount) for what, amount in plan.layout if ": " not in what]
    whole = sum(amount for _, amount in parts)
    lines = table("  what", "size", "share", right=["size", "share"])
    for what, amount in parts:
        lines.add_row(f"  {words(what)}", size(amount), _share(amount, whole))
        for inner, inner_amount in plan.layout:
            if inner.startswith(f"{what}: "):
                name = words(inner.removeprefix(f"{what}: "))
                lines.add_row(f"    {name}", size(inner_amount), _share(inner_amount, whole))
    return Group(heading("Layout", size(whole)), lines)


def _share(amount: int, whole: int) -> str:
    share = 100 * amount / whole
    return "< 1 %" if share < 1 else f"{share:.0f} %"


def _steps(plan: Plan, *, complete: bool) -> RenderableType:
    """Lines are not broken: commands can be taken from them."""
    if not complete and len(plan.steps) > _MOST_STEPS:
        return Text(f"\n{len(plan.steps)} steps; --dry-run shows each of them.\n")
    lines = [
        Text(
            f"  {number:2}. {words(str(step) if complete else step.title)}",
            no_wrap=True,
            overflow="ignore",
        )
        for number, step in enumerate(plan.steps, 1)
    ]
    return Group(heading("Steps"), *lines, "")
