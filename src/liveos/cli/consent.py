# SPDX-License-Identifier: Apache-2.0
"""Between a plan and its execution: the person says yes, by an option or on a terminal."""

import sys

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


def consent(output: Output, plan: Plan, *, yes: bool) -> None:
    """Return if the plan may be carried out.

    :raises RefusedError: the answer is no, or nobody can be asked.
    """
    if yes and not output.verbose:
        return
    if not yes:
        _refuse_without_terminal(plan)
    from liveos.cli.plan_view import plan_view

    output.note(*plan_view(plan, complete=output.verbose))
    if not yes and not _ask(default=not plan.destroys):
        raise RefusedError("nothing was changed")


def _refuse_without_terminal(plan: Plan) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise RefusedError(
            f"nobody can be asked whether to {plan.title}: this is no terminal",
            hint="add --yes to go on without a question, or --dry-run to see the plan",
        )


def _ask(*, default: bool) -> bool:
    choices = "[Y/n]" if default else "[y/N]"
    print(f"Go on? {choices} ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip().lower()
    return answer in {"y", "yes"} or (default and answer == "")
