# SPDX-License-Identifier: Apache-2.0
"""How installations are carried out and told of: one, or several at the same time."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liveos.cli.output import Output
from liveos.errors import ExitStatus, LiveosError

if TYPE_CHECKING:
    from liveos.operations.plan import Plan
    from liveos.operations.together import Outcome


def carry_out(output: Output, plans: Sequence["Plan"], targets: Sequence[Path]) -> ExitStatus:
    """Make every stick, by one plan for each target; the status is that of the first that failed.

    :raises LiveosError: the only one failed, or nothing was begun, or a signal came.
    """
    from liveos.cli.progress import reporters
    from liveos.operations.together import execute_all

    names = [str(target) for target in targets]
    with reporters(output, names if len(names) > 1 else [""]) as chosen:
        outcomes = execute_all(plans, chosen)
    if len(outcomes) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    if output.as_json:
        output.document("install", _document(names, outcomes))
    else:
        _tell(output, names, outcomes)
    failures = (each.error.status for each in outcomes if each.error is not None)
    return next(failures, ExitStatus.DONE)


def _document(names: Sequence[str], outcomes: Sequence["Outcome"]) -> dict[str, Any]:
    """One target has its facts on the outer level, too."""
    targets = [
        {
            "target": name,
            "seconds": round(each.seconds, 1),
            "error": None if each.error is None else each.error.message,
            "hint": None if each.error is None else each.error.hint,
            "status": ExitStatus.DONE if each.error is None else each.error.status,
        }
        for name, each in zip(names, outcomes, strict=True)
    ]
    only = targets[0] if len(targets) == 1 else {}
    return {**{name: only[name] for name in ("target", "seconds") if only}, "targets": targets}


def _tell(output: Output, names: Sequence[str], outcomes: Sequence["Outcome"]) -> None:
    from liveos.cli.text import duration, printable

    told = list(zip(names, outcomes, strict=True))
    for name, each in told:
        if each.error is None:
            output.show(f"{printable(name)} is ready ({duration(each.seconds)}).")
        else:
            output.show(_failure(name, each.error))
    ready = [(name, each.plan) for name, each in told if each.error is None]
    if ready and not output.quiet:
        _tell_next(output, *ready[0])


def _failure(name: str, error: LiveosError) -> str:
    from liveos.cli.text import printable

    hint = f" ({error.hint})" if error.hint else ""
    return printable(f"{name} FAILED: {error.message}{hint}")


def _tell_next(output: Output, name: str, plan: "Plan") -> None:
    from liveos.cli.text import printable
    from liveos.medium.running import is_live

    if is_live(name):
        output.note("The boot menu offers the new image when this machine starts again.")
        return
    if Path(name).is_dir():
        output.note(f"The boot menu offers the new image; {printable(name)} is still mounted.")
        return
    stick = shlex.quote(name)
    first = "When it is plugged in again: " if _is_ejected(plan) else "Next: "
    output.note(f"{first}liveos boot {stick} starts it in a virtual machine;")
    output.note(f"{' ' * len(first)}liveos prove {stick} shows that it boots and remembers.")


def _is_ejected(plan: "Plan") -> bool:
    from liveos.operations.steps.stick import Detach

    return any(isinstance(step, Detach) for step in plan.steps)
