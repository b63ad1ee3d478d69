# SPDX-License-Identifier: Apache-2.0
"""A partition of a stick that is mounted: its files as the kernel has them, and the ESP beside it.

The ESP is read, and changed, through its own device: the whole disk's has a page cache of its own,
which does not see what is written there; and it cannot be had alone while a partition is mounted.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from liveos.formats.binary import ByteSource, FileSource
from liveos.host.block.machine import number, partitions
from liveos.host.mounts import parse_mounts
from liveos.medium.open_scene import scene_of_file
from liveos.medium.scene import Scene
from liveos.medium.volume import Volume, open_directory, open_volume


@dataclass(frozen=True, slots=True)
class MountedPartition:
    """Partition ``number`` of ``disk`` is mounted; ``devices`` are all of the disk, by number."""

    disk: Path
    number: int
    devices: dict[int, Path]


def partition_at(path: Path, system: Path = Path("/")) -> MountedPartition | None:
    """The partition that is mounted at a path; ``system`` stands in for / in tests."""
    mounts = parse_mounts((system / "proc/self/mountinfo").read_text(errors="replace"))
    point = "/" + str(path.resolve().relative_to(system.resolve()))
    here = [mount for mount in mounts if mount.point == point][-1:]
    for mount in here:
        device = (system / "sys/dev/block" / mount.device).resolve()
        own = number(device / "partition")
        if own is not None:
            disk, dev = device.parent, system / "dev"
            found = ((number(part / "partition"), dev / part.name) for part in partitions(disk))
            devices = {each: part for each, part in found if each is not None}
            return MountedPartition(dev / disk.name, own, devices)
    return None


@contextmanager
def opened_with_esp(path: Path, partition: MountedPartition) -> Iterator[tuple[Scene, ByteSource]]:
    """What is mounted at ``path``, with what starts it; and the bytes of the disk.

    :raises PermissionError: the disk may not be read; :raises FormatError: it cannot be.
    """
    with ExitStack() as stack:
        source = stack.enter_context(FileSource(partition.disk))
        disk = scene_of_file(partition.disk, source)
        esp = None if disk.esp is None else _by_itself(disk, disk.esp, partition, stack)
        own = next((each for each in disk.partitions if each.number == partition.number), None)
        label, uuid = (None, None) if own is None else (own.label, own.uuid)
        volume = replace(open_directory(path), label=label, uuid=uuid)
        volumes = (volume,) if esp is None else (volume, esp)
        yield replace(disk, path=path, label=label, volumes=volumes, esp=esp), source


def _by_itself(disk: Scene, esp: Volume, partition: MountedPartition, stack: ExitStack) -> Volume:
    """The ESP through its own device, if the kernel has one for it."""
    numbers = (each.number for each in disk.partitions if each.offset == esp.offset)
    device = partition.devices.get(next(numbers))
    if device is None:
        return esp
    return open_volume(stack.enter_context(FileSource(device)), device)
