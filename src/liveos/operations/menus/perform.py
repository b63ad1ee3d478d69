# SPDX-License-Identifier: Apache-2.0
"""How the steps for menus are done."""

from contextlib import suppress

from liveos.errors import LiveosError
from liveos.host.folders.folder import FolderFile
from liveos.operations.steps.menus import NEW, MenuStep, encoded


def perform_menu_step(step: MenuStep) -> None:
    """Do one step; ``liveos.operations.execute`` alone calls this."""
    replace_text(step.place, encoded(step.text))


def replace_text(place: FolderFile, content: bytes) -> None:
    """Give a file other content; a power cut leaves the old one or the new one.

    The new content lies beside it first, under a name that only a run that was cut off leaves
    behind: what is found there goes.
    """
    folder, part = place.folder, place.name + NEW
    with place.hold():
        if part in folder.names():
            folder.remove(part)
        with folder.create(part, len(content)) as file:
            file.write_at(0, content)
        try:
            folder.replace(part, place.name)
        except BaseException:
            with suppress(LiveosError, OSError):
                folder.remove(part)
            raise
