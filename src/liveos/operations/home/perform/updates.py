# SPDX-License-Identifier: Apache-2.0
"""Files of the directory ``updates``: written whole or not at all."""

from liveos.operations.home.perform.create import held
from liveos.operations.menus.perform import replace_text
from liveos.operations.steps.home import NEW, RemoveUpdate, WriteUpdate


def perform_update(step: WriteUpdate | RemoveUpdate) -> None:
    """A power cut leaves what was there, or what is to be."""
    if isinstance(step, WriteUpdate):
        _write(step)
        return
    with held(step.place):
        step.place.folder.remove(step.place.name)


def _write(step: WriteUpdate) -> None:
    """A power cut leaves the old file, or none, or the new one."""
    place, content = step.place, step.text.encode()
    folder, part = place.folder, place.name + NEW
    with held(place):
        folder.make()
        names = folder.names()
        if place.name not in names:
            if part in names:
                folder.remove(part)
            with folder.create(part, len(content)) as file:
                file.write_at(0, content)
            folder.publish(part, place.name)
            return
    replace_text(place, content)
