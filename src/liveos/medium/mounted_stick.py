# SPDX-License-Identifier: Apache-2.0
"""A stick whose LIVE is mounted: which partition that is, and whether this system runs from it."""

from contextlib import suppress
from itertools import dropwhile, islice
from pathlib import Path

from liveos.errors import UnsupportedError
from liveos.medium.model import Partition
from liveos.medium.mounted import MountedPartition, partition_at
from liveos.medium.open_scene import ESP_TYPES
from liveos.medium.running import Running, find_running, is_live
from liveos.medium.scene import UNREAD_LIVE, Scene
from liveos.medium.stick_menu import NO_STICK_HINT

# In these a rename leaves the old file or the new one, and fsync(2) makes it durable.
_WRITTEN = frozenset({"ext4", *UNREAD_LIVE})


def stick_at(path: Path, system: Path) -> MountedPartition | None:
    """What is mounted where a person means a directory; None where a person means bytes.

    :raises UnsupportedError: nothing whole is, or nothing that files are changed on.
    """
    if not is_live(path) and not path.is_dir():
        return None
    place = find_running(system).mount if is_live(path) else path
    mounted = partition_at(place, system)
    if mounted is None:
        raise UnsupportedError(
            f"{path}: no partition of a stick is mounted at {place}",
            hint="name the stick itself, or the directory where the whole of its LIVE is mounted",
        )
    if mounted.filesystem not in _WRITTEN:
        raise UnsupportedError(
            f"{path}: its files are on {mounted.filesystem}, and where a stick is mounted, they are"
            " changed on ext4, Btrfs, XFS and F2FS only",
            hint=NO_STICK_HINT,
        )
    return mounted


def run_from(mounted: MountedPartition, system: Path) -> Running | None:
    """The running system, if it is from this partition, wherever else that is mounted."""
    with suppress(UnsupportedError):
        running = find_running(system)
        if (running.disk, running.partition) == (mounted.disk.name, mounted.number):
            return running
    return None


def require_live(scene: Scene, mounted: MountedPartition) -> None:
    """:raises UnsupportedError: another partition is mounted than that of the images."""
    live = behind_esp(scene)
    if live is None:
        raise UnsupportedError(
            f"{scene.path} is on {mounted.disk}, which is no stick that liveos made",
            hint="liveos install makes one",
        )
    if live.number != mounted.number:
        raise UnsupportedError(
            f"{scene.path} is partition {mounted.number} of {mounted.disk}, and its images are on"
            f" partition {live.number}",
            hint="mount that, and name its directory",
        )


def behind_esp(scene: Scene) -> Partition | None:
    """Where liveos puts LIVE."""
    parts = sorted(scene.partitions, key=lambda part: part.offset)
    behind = dropwhile(lambda part: part.type not in ESP_TYPES, parts)
    return next(islice(behind, 1, None), None)
