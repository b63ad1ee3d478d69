# SPDX-License-Identifier: Apache-2.0
"""The plan of ``home resize``."""

from liveos.errors import NoSpaceError
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.partition import PartitionFolder
from liveos.medium.home.locate import OpenHome
from liveos.medium.home.status import HomeStatus
from liveos.operations.home.plans.existing import left_over, require_home, tools
from liveos.operations.home.plans.record import resized
from liveos.operations.plan import Plan
from liveos.operations.steps.home import NEW, ResizeHome
from liveos.sizes import Size, format_size

_MIB = 1 << 20
_LEAST = 32 * _MIB
_SPARE = 4 * _MIB


# A run that was cut off may have left the old filesystem in the longer file.
_SAME = "it has that size already; its filesystem is made to fill it"


def plan(found: OpenHome, spec: str, size: Size) -> Plan:
    """Another size for a home that is there.

    A share is one of what the home and the free space have together.

    :raises UnsupportedError: there is no home, or none with a filesystem that can be resized.
    :raises NoSpaceError: it does not fit, or its copy does not.
    """
    status = require_home(found, spec)
    old = status.size or 0
    new = _size(found, old, size)
    _require_room(found, status, old, new)
    step = ResizeHome(
        place=found.place,
        old_size=old,
        size=new,
        encrypted=status.kind == "encrypted",
        stale=found.place.name + NEW in found.place.folder.names(),
    )
    return Plan(
        title=f"resize the home of {found.image.name} from {format_size(old)} to"
        f" {format_size(new)}",
        steps=(step, *resized(found, new)),
        destroys=left_over(found),
        notes=(_SAME,) if new == old else (),
        needs=tools(found, encrypted=step.encrypted, resizes=True),
    )


def _size(found: OpenHome, old: int, wish: Size) -> int:
    folder = found.place.folder
    room, limit = folder.free() + old, folder.limit()
    left = max(0, room - (0 if isinstance(folder, PartitionFolder) else _SPARE))
    if limit is not None and wish.bytes is None:
        left = min(left, limit)
    size = wish.of(room, left=left) // _MIB * _MIB
    if limit is not None and size > limit:
        raise NoSpaceError(
            f"the filesystem of {folder} takes files of up to {limit} bytes, and"
            f" {format_size(size)} are asked for",
            hint=f"the largest home that is possible here is {limit // _MIB}M",
        )
    if size < _LEAST:
        raise NoSpaceError(
            f"a home of {format_size(size)} is too small", hint=f"it needs {format_size(_LEAST)}"
        )
    return size


def _require_room(found: OpenHome, status: HomeStatus, old: int, new: int) -> None:
    """Growing needs what is added, but a whole copy on FAT, where shrinking needs one, too."""
    folder, free = found.place.folder, found.place.folder.free()
    if new < old and status.used_size is not None and status.used_size > new:
        raise NoSpaceError(
            f"{found.place} has {format_size(status.used_size)} in use, which do not fit into"
            f" {format_size(new)}",
            hint="delete files in there, or choose a larger size",
        )
    needed = new if isinstance(folder, FatFolder) and new != old else new - old
    if needed <= free:
        return
    if isinstance(folder, PartitionFolder):
        raise NoSpaceError(
            f"{format_size(free)} behind {found.place} belong to no other partition, and"
            f" {format_size(needed)} would be added",
            hint=f"the largest home that is possible here is {(old + free) // _MIB}M",
        )
    why = "a copy of the new size beside the old home" if needed == new else "what would be added"
    raise NoSpaceError(
        f"{folder} has {format_size(free)} free, and {why} needs {format_size(needed)}",
        hint="choose another size, or make room there",
    )
