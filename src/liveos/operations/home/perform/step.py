# SPDX-License-Identifier: Apache-2.0
"""Which function does which step for a home."""

from typing import assert_never

from liveos.operations.home.perform.create import create_home
from liveos.operations.home.perform.encrypt import encrypt_home
from liveos.operations.home.perform.encrypt_partition import encrypt_partition, make_room
from liveos.operations.home.perform.remove import remove_home
from liveos.operations.home.perform.resize import resize_home
from liveos.operations.home.perform.updates import perform_update
from liveos.operations.steps.home import (
    CreateHome,
    EncryptHome,
    EncryptPartition,
    HomeStep,
    MakeRoom,
    RemoveHome,
    RemoveUpdate,
    ResizeHome,
    WriteUpdate,
)
from liveos.report import Reporter


def perform_home_step(step: HomeStep, reporter: Reporter) -> None:
    """Do one step; ``liveos.operations.execute`` alone calls this."""
    match step:
        case CreateHome():
            create_home(step, reporter)
        case RemoveHome():
            remove_home(step)
        case ResizeHome():
            resize_home(step, reporter)
        case EncryptHome():
            encrypt_home(step, reporter)
        case MakeRoom():
            make_room(step, reporter)
        case EncryptPartition():
            encrypt_partition(step, reporter)
        case WriteUpdate() | RemoveUpdate():
            perform_update(step)
        case _:
            assert_never(step)
