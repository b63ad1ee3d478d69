# SPDX-License-Identifier: Apache-2.0
"""Which function does which overlay step."""

from typing import assert_never

from liveos.operations.overlay.perform.compact import compact_store
from liveos.operations.overlay.perform.compact_in_place import compact_in_place
from liveos.operations.overlay.perform.merge import merge_in_place, write_merged
from liveos.operations.overlay.perform.repair import repair_store
from liveos.operations.overlay.perform.reset import reset_store
from liveos.operations.overlay.perform.resize import resize_store
from liveos.operations.overlay.perform.restore import restore_into, restore_new
from liveos.operations.overlay.perform.whole import perform_whole_overlay_step
from liveos.operations.steps.overlay import (
    CompactInPlace,
    CompactStore,
    MergeInPlace,
    OverlayStep,
    RepairStore,
    ResetStore,
    ResizeStore,
    RestoreInto,
    RestoreNew,
    WriteMerged,
)
from liveos.operations.steps.whole_overlay import WholeOverlayStep
from liveos.report import Reporter


def perform_overlay_step(  # noqa: C901 - one case for each kind of step
    step: OverlayStep, reporter: Reporter
) -> None:
    """Do one step; ``liveos.operations.execute`` alone calls this."""
    if isinstance(step, WholeOverlayStep):
        perform_whole_overlay_step(step, reporter)
        return
    match step:
        case ResetStore():
            reset_store(step)
        case ResizeStore():
            resize_store(step)
        case WriteMerged():
            write_merged(step, reporter)
        case MergeInPlace():
            merge_in_place(step, reporter)
        case RestoreNew():
            restore_new(step, reporter)
        case RestoreInto():
            restore_into(step)
        case RepairStore():
            repair_store(step, reporter)
        case CompactStore():
            compact_store(step, reporter)
        case CompactInPlace():
            compact_in_place(step, reporter)
        case _:
            assert_never(step)
