# SPDX-License-Identifier: Apache-2.0
"""What the plans for a home that is there have in common."""

import shlex
from dataclasses import replace

from liveos.errors import RefusedError, UnsupportedError
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.luks import Key
from liveos.host.tools import CRYPTSETUP, DEBUGFS, E2FSCK, MTOOLS, RESIZE2FS, Tool
from liveos.medium.home.locate import OpenHome
from liveos.medium.home.status import HomeStatus, home_status
from liveos.operations.plan import AnyStep, Plan
from liveos.operations.steps.home import NEW, EncryptHome, EncryptPartition, ResizeHome

_EXT = frozenset({"ext2", "ext3", "ext4"})


def require_home(found: OpenHome, spec: str, *, finished: bool = True) -> HomeStatus:
    """The facts of a home that can be worked on.

    :raises UnsupportedError: there is none.
    :raises RefusedError: its encryption is not ``finished``.
    """
    status = home_status(found)
    if status.size is None:
        raise UnsupportedError(
            f"{spec}: the image {found.image.name} has no home of its own",
            hint=f"liveos home create {shlex.quote(spec)} --size SIZE makes one",
        )
    if status.kind == "encrypting":
        if finished:
            raise RefusedError(
                f"{found.place}: its encryption was begun and is not finished",
                hint=f"liveos home encrypt {shlex.quote(spec)} goes on with it",
            )
        return status
    if status.kind != "encrypted" and status.filesystem not in _EXT:
        raise UnsupportedError(
            f"{found.place} holds {status.filesystem or 'nothing that is known'}, no ext4",
            hint="other filesystems have tools of their own, for a mounted home",
        )
    return status


def left_over(found: OpenHome) -> tuple[str, ...]:
    """What a run that was cut off has left, and what a new run deletes."""
    if found.place.name + NEW not in found.place.folder.names():
        return ()
    return (f"{found.place}{NEW}, left by a run that was cut off",)


def tools(found: OpenHome, *, encrypted: bool, resizes: bool = False) -> tuple[Tool, ...]:
    fat = (MTOOLS,) if isinstance(found.place.folder, FatFolder) else ()
    more = ((RESIZE2FS,) if resizes else ()) + ((CRYPTSETUP,) if encrypted else ())
    return (DEBUGFS, E2FSCK, *more, *fat)


def with_key(plan: Plan, key: Key) -> Plan:
    """The plan when the key of the home is known."""
    return replace(plan, steps=tuple(_with_key(step, key) for step in plan.steps))


def _with_key(step: AnyStep, key: Key) -> AnyStep:
    if isinstance(step, ResizeHome):
        return replace(step, key=key)
    if isinstance(step, EncryptHome | EncryptPartition):
        return replace(step, encryption=replace(step.encryption, key=key))
    return step


def is_for_key(plan: Plan) -> bool:
    """Whether the plan needs the key of an encrypted home."""
    return any(isinstance(step, ResizeHome) and step.encrypted for step in plan.steps)


def goes_on(plan: Plan) -> bool:
    """Whether the plan finishes what was begun with a key that is known."""
    return any(isinstance(step, EncryptPartition) and step.resumes for step in plan.steps)
