# SPDX-License-Identifier: Apache-2.0
"""What a running system has at /home, and its swap, each followed to what holds it."""

from dataclasses import dataclass
from posixpath import basename

from liveos.operations.prove.observation import Observation


@dataclass(frozen=True, slots=True)
class Home:
    """What is mounted at /home: ``store`` is a file as the guest spells it, or a partition.

    ``encrypted`` means that a mapping lies between it and the filesystem.
    """

    filesystem: str
    source: str
    store: str | None
    encrypted: bool


def find_home(seen: Observation) -> Home | None:
    """What is mounted at /home; None where it is a directory of the root."""
    mount = seen.mount_at("/home")
    if mount is None:
        return None
    below = seen.device_behind(mount.source)
    return Home(
        filesystem=mount.filesystem,
        source=mount.source,
        store=seen.loops.get(below) or _partition(seen, below),
        encrypted=below != basename(mount.source),
    )


def find_swaps(seen: Observation) -> tuple[str, ...]:
    """The swap spaces in use; of loop devices, the files behind them."""
    return tuple(seen.file_behind(swap) or swap for swap in seen.swaps)


def _partition(seen: Observation, device: str) -> str | None:
    """A partition as ``inspect`` names it."""
    number = seen.partitions.get(device)
    return None if number is None else f"partition {number}"
