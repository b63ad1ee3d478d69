# SPDX-License-Identifier: Apache-2.0
"""A partition of a stick that is mounted: its files as the kernel has them, and the ESP beside it.

The ESP is read, and changed, through its own device: the whole disk's has a page cache of its own,
which does not see what is written there; and it cannot be had alone while a partition is mounted.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from liveos.errors import NotPermittedError, UnsupportedError
from liveos.formats.binary import ByteSource, FileSource, FormatError
from liveos.host.block.machine import Machine, is_partition, number, partitions
from liveos.host.block.uses import devices_of
from liveos.host.mounts import Mount
from liveos.medium.images import find_images
from liveos.medium.open_scene import scene_of_directory, scene_of_file
from liveos.medium.scene import Scene
from liveos.medium.volume import Volume, open_directory, open_volume


@dataclass(frozen=True, slots=True)
class MountedPartition:
    """Partition ``number`` of ``disk``, all of which is to be seen at the directory ``mount``.

    ``filesystem`` is the kernel's name of what is on it; ``read_only`` tells that it is mounted so.
    ``devices`` are all partitions of the disk, by number.
    """

    mount: Path
    filesystem: str
    read_only: bool
    disk: Path
    number: int
    devices: dict[int, Path]


def partition_at(path: Path, system: Path = Path("/")) -> MountedPartition | None:
    """The partition that is mounted at a path; ``system`` stands in for / in tests.

    None also where a part of its files is mounted, or where its filesystem has several devices.
    """
    machine = Machine(system)
    place = path.resolve()
    point = "/" + str(place.relative_to(system.resolve()))
    here = [mount for mount in machine.mounts() if mount.point == point][-1:]
    return _partition(place, here[0], machine) if here else None


def _partition(place: Path, mount: Mount, machine: Machine) -> MountedPartition | None:
    devices = devices_of(mount, machine)
    if mount.root != "/" or len(devices) != 1 or not is_partition(devices[0]):
        return None
    disk, dev = devices[0].parent, machine.root / "dev"
    parts = ((number(part / "partition"), dev / part.name) for part in partitions(disk))
    return MountedPartition(
        mount=place,
        filesystem=mount.filesystem,
        read_only=mount.read_only,
        disk=dev / disk.name,
        number=number(devices[0] / "partition") or 0,
        devices={each: part for each, part in parts if each is not None},
    )


def started_from_beside(path: Path, system: Path = Path("/")) -> MountedPartition | None:
    """The partition that is mounted at a path, if it has images, and nothing that starts them."""
    partition = partition_at(path, system)
    if partition is None:
        return None
    images = find_images(scene_of_directory(path)).images
    return partition if images and not any(each.kernels for each in images) else None


@contextmanager
def opened_with_esp(partition: MountedPartition) -> Iterator[tuple[Scene, ByteSource]]:
    """What is mounted, with what starts it; and the bytes of the disk.

    :raises NotPermittedError: the disk may not be read; :raises UnsupportedError: it cannot be.
    """
    try:
        with ExitStack() as stack:
            source = stack.enter_context(FileSource(partition.disk))
            yield _scene(partition, source, stack), source
    except PermissionError as error:
        raise NotPermittedError(
            f"{error.filename} may not be read, where the boot files of {partition.mount} are",
            hint="run it as root",
        ) from error
    except FormatError as error:
        raise UnsupportedError(f"{partition.disk}: {error}") from error


def _scene(partition: MountedPartition, source: ByteSource, stack: ExitStack) -> Scene:
    disk = scene_of_file(partition.disk, source, mounted=partition.number)
    esp = None if disk.esp is None else _by_itself(disk, disk.esp, partition, stack)
    own = next((each for each in disk.partitions if each.number == partition.number), None)
    label, uuid = (None, None) if own is None else (own.label, own.uuid)
    volume = replace(open_directory(partition.mount), label=label, uuid=uuid)
    volumes = (volume,) if esp is None else (volume, esp)
    found = replace(disk, path=partition.mount, label=label, volumes=volumes, esp=esp)
    return replace(found, mounted=partition.number)


def _by_itself(disk: Scene, esp: Volume, partition: MountedPartition, stack: ExitStack) -> Volume:
    """The ESP through its own device, if the kernel has one for it."""
    numbers = (each.number for each in disk.partitions if each.offset == esp.offset)
    device = partition.devices.get(next(numbers))
    if device is None:
        return esp
    return open_volume(stack.enter_context(FileSource(device)), device)
