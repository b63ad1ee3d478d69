# SPDX-License-Identifier: Apache-2.0
"""A partition for a home: the one that waits for it, or a new one behind the others."""

from uuid import UUID

from liveos.errors import NoSpaceError, UnsupportedError
from liveos.host.folders.partition import PartitionFolder
from liveos.host.tools import SFDISK, Command
from liveos.medium.model import MediumKind
from liveos.medium.scene import Scene
from liveos.medium.stores import BACKUP_TABLE, HOME_TYPE, home_partition
from liveos.operations.steps.stick import Run
from liveos.sizes import Size, format_size

_MIB = 1 << 20
_ALIGNMENT = 4 * _MIB
_GUID_LENGTH = 36  # types of MBR partitions are numbers


def choose_partition(
    scene: Scene | None, size: Size, guid: UUID, least: int
) -> tuple[PartitionFolder, tuple[Run, ...]]:
    """Where the home will lie, and what makes the partition if there is none.

    A partition of the name HOME in which nothing is known is taken as it is, whatever ``size``.

    :param guid: the new partition's own.
    :raises UnsupportedError: the stick has no GPT.
    :raises NoSpaceError: there is no room behind the last partition.
    """
    if scene is None or scene.kind is not MediumKind.DISK or scene.size is None:
        raise UnsupportedError(
            "only a whole stick has partitions", hint="name its device or image file"
        )
    waiting = home_partition(scene.partitions)
    if waiting is not None and waiting.partition is not None:
        return _existing(scene, waiting.partition), ()
    if any(len(partition.type) != _GUID_LENGTH for partition in scene.partitions):
        raise UnsupportedError(
            f"{scene.path} has no GPT, and liveos adds partitions to no other table",
            hint="make the home a file: leave out --partition",
        )
    start = max(each.offset + each.size for each in scene.partitions)
    start = -(-start // _ALIGNMENT) * _ALIGNMENT
    room = max(0, scene.size - BACKUP_TABLE - start) // _ALIGNMENT * _ALIGNMENT
    wanted = size.of(room, left=room) // _ALIGNMENT * _ALIGNMENT
    if wanted > room or wanted < least:
        raise NoSpaceError(
            f"{scene.path} has {format_size(room)} behind its last partition: a home of"
            f" {format_size(wanted)} cannot lie there",
            hint=f"it needs at least {format_size(least)}; or make it a file, without --partition",
        )
    number = max(each.number for each in scene.partitions) + 1
    folder = PartitionFolder(scene.path, start, wanted, number, filled=False)
    return folder, (_addition(folder, guid),)


def _existing(scene: Scene, number: int) -> PartitionFolder:
    found = next(each for each in scene.partitions if each.number == number)
    filled = found.filesystem is not None
    return PartitionFolder(scene.path, found.offset, found.size, number, filled=filled)


def _addition(folder: PartitionFolder, guid: UUID) -> Run:
    """Sfdisk writes the backup of the table before the table itself."""
    line = (
        f"start={folder.offset // 1024}KiB, size={folder.size // 1024}KiB, type={HOME_TYPE},"
        f' uuid={guid}, name="HOME"\n'
    )
    quiet = ("--quiet", "--no-reread", "--no-tell-kernel")
    keep = ("--wipe", "never", "--wipe-partitions", "always", "--append")
    return Run("Add a partition", Command(SFDISK, (*quiet, *keep, str(folder.path))), line)
