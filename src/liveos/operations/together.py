# SPDX-License-Identifier: Apache-2.0
"""Several sticks at once, from one source: a thread for each, which does its own plan.

The source is read, checked and decompressed once (`SharedSource`); a stick that fails leaves the
others alone.
"""

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from liveos.errors import InterruptedByUserError, LiveosError, UsageError
from liveos.host import interrupts
from liveos.operations.execute import carry_out, check
from liveos.operations.install.session import Session
from liveos.operations.install.shared_source import SharedSource
from liveos.operations.plan import Plan
from liveos.report import Reporter

_WAKE_UP = 0.1  # seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one plan ended: ``error`` is None when all of it was done."""

    plan: Plan
    seconds: float
    error: LiveosError | None = None


def check_distinct(plans: Sequence[Plan]) -> None:
    """:raises UsageError: two plans have the same target."""
    paths = [plan.target.path for plan in plans if plan.target is not None]
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"{path} is named twice", hint="name each target once")


def execute_all(plans: Sequence[Plan], reporters: Sequence[Reporter]) -> tuple[Outcome, ...]:
    """Carry out the plans at the same time; the outcomes are in their order.

    Nothing is begun if one of them cannot be carried out as it stands.

    :raises LiveosError: for that reason, or because a signal came; then every target is in the
        state that the hint names.
    """
    check_distinct(plans)
    for plan in plans:
        check(plan)
    shared = SharedSource(len(plans))
    sessions = [Session(each, shared, number) for number, each in enumerate(reporters)]
    with interrupts.as_exceptions(), ThreadPoolExecutor(len(plans)) as threads:
        running: list[Future[Outcome]] = []
        try:
            # One by one: a signal may come while the first ones run and the others do not yet.
            for plan, session in zip(plans, sessions, strict=True):
                running.append(threads.submit(_carry_out, plan, session))
            _wait_interruptibly(running)
            return tuple(each.result() for each in running)
        except BaseException as error:
            shared.stop()
            _explain(error, running)
            raise


def _carry_out(plan: Plan, session: Session) -> Outcome:
    start = time.monotonic()
    try:
        carry_out(plan, session)
    except LiveosError as error:
        return Outcome(plan, time.monotonic() - start, error)
    return Outcome(plan, time.monotonic() - start)


def _wait_interruptibly(running: Sequence["Future[Outcome]"]) -> None:
    """Wait until all have ended, or one raised what it should not.

    The system may give a signal to any thread, and Python handles it when the main thread runs
    next: a wait without end would not hear it before the last stick is done.
    """
    while wait(running, _WAKE_UP, FIRST_EXCEPTION).not_done:
        if any(each.done() and each.exception() for each in running):
            return


def _explain(error: BaseException, running: Sequence["Future[Outcome]"]) -> None:
    """Wait until all have ended, and add in what state each has left its target."""
    wait(running)
    if isinstance(error, InterruptedByUserError):
        outcomes = [each.result() for each in running if each.exception() is None]
        error.hint = "; ".join(filter(None, map(_state, outcomes))) or None


def _state(outcome: Outcome) -> str | None:
    if outcome.error is not None:
        return outcome.error.hint
    return f"{outcome.plan.target.path} is complete" if outcome.plan.target else None
