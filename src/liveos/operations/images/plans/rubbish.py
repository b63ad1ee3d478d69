# SPDX-License-Identifier: Apache-2.0
"""What a run that was cut off has left of an image that no menu promises, and how it goes.

The directory on the ESP goes last: it is what tells that the other one is not its owner's.
"""

from collections.abc import Iterator

from liveos.medium.stick import OpenStick
from liveos.operations.images.menus import forget
from liveos.operations.steps.images import RemoveFolder
from liveos.operations.steps.menus import ReplaceMenu


def clearing(stick: OpenStick, name: str) -> Iterator[ReplaceMenu | RemoveFolder]:
    """The steps that clear what is left of an image; none where nothing is."""
    if name.casefold() in {each.casefold() for each in stick.leftovers}:
        yield from forget(stick, name)
        yield from removal(stick, name)


def removal(stick: OpenStick, name: str) -> Iterator[RemoveFolder]:
    """The steps that remove the directories of an image which nothing starts any more."""
    yield RemoveFolder(stick.folder(name))
    yield RemoveFolder(stick.boot_folder(name))


def lost_rubbish(stick: OpenStick, name: str) -> tuple[str, ...]:
    """What goes by `clearing`, for people."""
    if not any(clearing(stick, name)):
        return ()
    return (f"/{name} and /liveos/{name}, left by a run that was cut off",)
