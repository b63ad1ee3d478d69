# SPDX-License-Identifier: Apache-2.0
"""The room that is needed beside the target while a filesystem is made with its files in it."""

from liveos.errors import NoSpaceError
from liveos.host.target import TargetKind
from liveos.host.volumes import StagedVolume
from liveos.operations.install.stick import Stick
from liveos.sizes import format_size


def scratch_notes(stick: Stick) -> tuple[str, ...]:
    """How much is needed, and where.

    :raises NoSpaceError: it is not there, so far as that is known.
    """
    live, rooms = stick.live, stick.rooms
    if not isinstance(live, StagedVolume):
        return ()
    # What is gathered is sparse; a program that makes a filesystem of it writes the holes, too.
    contents = stick.payload.root_size
    files = sum(size or 0 for size in (rooms.overlay, rooms.home, rooms.swap))
    needed = contents + (contents + files if stick.request.filesystem.copies > 1 else 0)
    place, free = live.scratch.parent, stick.target.free
    if stick.target.kind is not TargetKind.DEVICE and free is not None and free < needed:
        raise NoSpaceError(
            f"{place} has {format_size(free)} free; to make {stick.request.filesystem.name} with"
            f" its files takes {format_size(needed)} there for a while",
            hint="make room there, choose another place, or --filesystem ext4, which needs none",
        )
    return (f"while LIVE is made, {place} must have {format_size(needed)} free",)
