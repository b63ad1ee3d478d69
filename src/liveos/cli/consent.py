# SPDX-License-Identifier: Apache-2.0
"""Between a plan and its execution: the person says yes, by an option or on a terminal."""

import sys
from collections.abc import Sequence

from liveos.cli.output import Output
from liveos.errors import RefusedError
from liveos.operations.plan import Plan


def show_plan(output: Output, plan: Plan) -> None:
    """Print the plan as the result: a dry run."""
    from liveos.operations.plan import plan_document

    if output.as_json:
        output.document("plan", plan_document(plan))
        return
    from liveos.cli.plan_view import plan_view

    output.show(*plan_view(plan))


def show_plans(output: Output, plans: Sequence[Plan]) -> None:
    """The same of plans that are carried out at once; as JSON they are one document."""
    if output.as_json and len(plans) > 1:
        from liveos.operations.plan import plan_document

        output.document("plans", {"plans": [plan_document(plan) for plan in plans]})
        return
    for plan in plans:
        show_plan(output, plan)


def consent(output: Output, plan: Plan, *, yes: bool) -> None:
    """Return if the plan may be carried out.

    :raises RefusedError: the answer is no, or nobody can be asked.
    """
    consent_to_all(output, (plan,), yes=yes)


def consent_to_all(output: Output, plans: Sequence[Plan], *, yes: bool) -> None:
    """The same for several plans and one answer."""
    if yes and not output.verbose:
        return
    if not yes:
        _refuse_without_terminal(plans)
    from liveos.cli.plan_view import plan_view

    for plan in plans:
        output.note(*plan_view(plan, complete=output.verbose))
    if not yes and not _ask(default=not any(plan.destroys for plan in plans)):
        raise RefusedError("nothing was changed")


def _refuse_without_terminal(plans: Sequence[Plan]) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        titles = ", and ".join(plan.title for plan in plans)
        raise RefusedError(
            f"nobody can be asked whether to {titles}: this is no terminal",
            hint="add --yes to go on without a question, or --dry-run to see the plan",
        )


def _ask(*, default: bool) -> bool:
    choices = "[Y/n]" if default else "[y/N]"
    print(f"Go on? {choices} ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip().lower()
    return answer in {"y", "yes"} or (default and answer == "")
