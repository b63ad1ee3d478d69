# SPDX-License-Identifier: Apache-2.0
"""Carries plans out: the only module of the operations that changes anything."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import UnionType
from typing import Any

from liveos.errors import (
    LiveosError,
    NoSpaceError,
    NotPermittedError,
    RefusedError,
    ToolMissingError,
)
from liveos.host import disk, interrupts
from liveos.host.run import require
from liveos.host.target import TargetKind, look_at
from liveos.operations.carry.perform import perform_carry_step
from liveos.operations.home.perform.step import perform_home_step
from liveos.operations.images.perform.step import perform_image_step
from liveos.operations.install.gathered import perform_layout_step
from liveos.operations.install.loaders import perform_loader_step
from liveos.operations.install.session import Session
from liveos.operations.install.step import perform_stick_step
from liveos.operations.memory.perform import perform_memory_step
from liveos.operations.menus.perform import perform_menu_step
from liveos.operations.overlay.perform.convert import perform_convert_step
from liveos.operations.overlay.perform.step import perform_overlay_step
from liveos.operations.plan import AnyStep, Plan
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
from liveos.report import NullReporter, Reporter

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_PERMITTED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def execute(plan: Plan, reporter: Reporter | None = None) -> None:
    """Check that the plan can be carried out as it stands, then do it.

    On any failure a file that was being made is removed, and a device is left plainly not
    bootable.

    :raises LiveosError: the first thing that went wrong.
    """
    check(plan)
    with interrupts.as_exceptions():
        carry_out(plan, Session(reporter or NullReporter()))


def carry_out(plan: Plan, session: Session) -> None:
    """Do the steps of a plan that has been checked; failures are as of `execute`."""
    reporter = session.reporter
    with _failures(plan, session):
        for number, step in enumerate(plan.steps, 1):
            session.poll()
            reporter.step(step.title, number, len(plan.steps))
            _perform(step, session)
        session.close()
    if plan.target is not None and plan.target.kind is TargetKind.DEVICE:
        disk.reread_partitions(plan.target.path)


_WINGS: tuple[tuple[UnionType | type, Callable[[Any, Session], None]], ...] = (
    (OverlayStep, lambda step, session: perform_overlay_step(step, session.reporter)),
    (ConvertStep, lambda step, session: perform_convert_step(step, session.reporter)),
    (HomeStep, lambda step, session: perform_home_step(step, session.reporter)),
    (MenuStep, lambda step, _: perform_menu_step(step)),
    (ImageStep, perform_image_step),
    (MemoryStep, perform_memory_step),
    (CarryStep, perform_carry_step),
    (LoaderStep, perform_loader_step),
    (LayoutStep, perform_layout_step),
    (Step, perform_stick_step),
)
"""Which wing does which steps."""


def _perform(step: AnyStep, session: Session) -> None:
    next(perform for steps, perform in _WINGS if isinstance(step, steps))(step, session)


def check(plan: Plan) -> None:
    """Everything that can be known before something is changed."""
    for tool in plan.needs:
        require(tool)
    for path, tool in plan.needs_files:
        if not path.exists():
            raise ToolMissingError(f"{path} is not installed", hint=tool.how_to_install)
    if plan.target is not None and plan.source is not None:
        now = look_at(plan.target.path, plan.source)
        if now != plan.target:
            raise RefusedError(
                f"{plan.target.path} has changed since the plan was made", hint="plan again"
            )


@contextmanager
def _failures(plan: Plan, session: Session) -> Iterator[None]:
    """Leave a named state behind, and give the system's errors their kind."""
    try:
        yield
    except OSError as error:
        session.discard()
        raise _translated(error, plan, session) from error
    except LiveosError as error:
        full = session.is_full(plan)
        session.discard()
        if full:
            raise NoSpaceError(
                "there is no space left where the image is made", hint=_state(plan, session)
            ) from error
        error.hint = "; ".join(filter(None, (error.hint, _state(plan, session)))) or None
        raise
    except BaseException:
        session.discard()
        raise


def _translated(error: OSError, plan: Plan, session: Session) -> LiveosError:
    state = _state(plan, session)
    if error.errno in _NO_SPACE:
        return NoSpaceError(f"no space is left: {error}", hint=state)
    if error.errno in _NOT_PERMITTED:
        return NotPermittedError(str(error), hint=state)
    return LiveosError(str(error), hint=state)


def _state(plan: Plan, session: Session) -> str | None:
    """In what state the target has been left."""
    if plan.target is None:
        return plan.when_it_fails
    path = plan.target.path
    if session.published:
        return f"{path} is complete"
    if session.touched:
        return f"{path} is unfinished and does not boot; install on it again"
    return f"{path} is as it was" if plan.target.size is not None else "nothing was left behind"
