# SPDX-License-Identifier: Apache-2.0
"""Which function does which step of making a stick."""

from typing import assert_never

from liveos.host import disk
from liveos.host.run import run
from liveos.operations.install import devices, perform
from liveos.operations.install.session import Session
from liveos.operations.steps.stick import (
    Allocate,
    AwaitCheck,
    CheckSource,
    ClaimDevice,
    Copy,
    CreateImage,
    Detach,
    InstallCore,
    MakeDirectories,
    MakeUnbootable,
    Publish,
    ReadBack,
    Remove,
    Run,
    Step,
    Sync,
    Write,
    WriteBootCode,
    WriteDevice,
    WriteRecord,
)


def perform_stick_step(step: Step, session: Session) -> None:  # noqa: C901, PLR0912 - one case for each kind of step
    """Do one step; ``liveos.operations.execute`` alone calls this."""
    match step:
        case CheckSource():
            perform.check_source(step, session)
        case AwaitCheck():
            perform.await_check(session)
        case ClaimDevice():
            devices.claim_device(step, session)
        case WriteDevice():
            devices.write_device(step, session)
        case Detach():
            devices.detach_device(step, session)
        case CreateImage():
            perform.create_image(step, session)
        case MakeUnbootable():
            devices.make_unbootable(step, session)
        case Run():
            run(step.command, stdin=step.script.encode())
        case MakeDirectories():
            perform.make_directories(step)
        case Allocate():
            perform.allocate(step)
        case Copy():
            perform.copy(step, session)
        case Write():
            perform.write(step.place, step.text.encode(), session)
        case WriteRecord():
            perform.write_record(step, session)
        case ReadBack():
            perform.read_back(session)
        case InstallCore():
            perform.install_core(step)
        case WriteBootCode():
            perform.write_boot_code(step)
        case Remove():
            perform.remove(step)
        case Sync():
            disk.sync(step.path)
        case Publish():
            perform.publish(step, session)
        case _:
            assert_never(step)
