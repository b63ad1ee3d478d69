# SPDX-License-Identifier: Apache-2.0
"""A new file beside a home, which takes its place when it is whole."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from liveos.errors import LiveosError
from liveos.host.folders.directories import keep_private
from liveos.host.folders.folder import FolderFile, StoredFile
from liveos.operations.home.perform.create import reserve
from liveos.operations.steps.home import NEW


@contextmanager
def in_its_place(place: FolderFile, size: int, *, stale: bool) -> Iterator[StoredFile]:
    """A new file of ``size`` bytes; when the body ends without an error, it is the home.

    What a run that was cut off has left under its name goes first, if it is ``stale``.
    """
    folder, part = place.folder, place.name + NEW
    if stale:
        folder.remove(part)
    with folder.create(part, size) as file:
        reserve(folder, part, size)
        yield file
    try:
        folder.replace(part, place.name)
    except BaseException:
        with suppress(LiveosError, OSError):
            folder.remove(part)
        raise
    keep_private(folder, place.name)
