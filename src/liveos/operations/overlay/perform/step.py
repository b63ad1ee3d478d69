# SPDX-License-Identifier: Apache-2.0
"""Which function does which overlay step."""

from liveos.operations.overlay.perform.reset import reset_store
from liveos.operations.overlay.steps import OverlayStep
from liveos.report import Reporter


def perform_overlay_step(step: OverlayStep, _reporter: Reporter) -> None:
    """Do one step; ``liveos.operations.execute`` alone calls this."""
    reset_store(step)
