# SPDX-License-Identifier: Apache-2.0
"""What an installation starts from: an ISO, one image of a stick, or the running system."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from liveos.errors import NotPermittedError, UnsupportedError
from liveos.formats.binary import ByteSource, FileSource, FormatError
from liveos.host.mounts import Mount, parse_mounts
from liveos.medium.home.words import is_home_word, is_swap_word
from liveos.medium.images import find_images
from liveos.medium.inspect import facts_of, inspect, opened
from liveos.medium.model import Entry, Image, Medium, MediumKind, PersistenceKind
from liveos.medium.open_scene import scene_of_directory, scene_of_file
from liveos.medium.overlay.locate import choose_payload, parse_spec
from liveos.medium.payloads import find_payloads, holds_root
from liveos.medium.record import NotedFile, find_record, noted_files, source_label
from liveos.medium.running import LIVE, Running, find_running
from liveos.medium.scene import Scene
from liveos.medium.volume import open_directory

_READ_ONLY = frozenset({MediumKind.ISO, MediumKind.SQUASHFS, MediumKind.EROFS})


@dataclass(frozen=True, slots=True)
class Source:
    """An image that can be installed; ``medium`` has no other one.

    ``spec`` names it for whoever opens it again. ``noted`` are the sums of its files as they were
    installed; there are none of an ISO, and none of a root that is written to itself. ``running``
    is there when this is the system that runs.
    """

    spec: str
    medium: Medium
    noted: tuple[NotedFile, ...] = ()
    running: Running | None = None

    @property
    def image(self) -> Image | None:
        return self.medium.images[0] if self.medium.images else None


def find_source(words: str, system: Path = Path("/")) -> Source:
    """What a person names: a file, a device, a directory, ``STICK:NAME``, or ``live``.

    :raises UsageError: there is no such thing, or it is not clear which image is meant.
    :raises UnsupportedError: nothing that is known, or too damaged to be read.
    :raises NotPermittedError: the operating system does not let us read it.
    """
    if words == LIVE and not Path(LIVE).exists():
        return _of_running(find_running(system), system)
    path, name = parse_spec(words)
    if path.is_dir():
        return _of_directory(path, name, system)
    with opened(path) as (scene, source):
        if scene.kind in _READ_ONLY or not find_payloads(scene):
            return Source(words, facts_of(scene, source))
        return _of_scene(scene, source, str(path), name)


def _of_running(running: Running, system: Path) -> Source:
    if running.filesystem == "iso9660":
        # A partition of a stick that an ISO was written to is not all of it; its disk is.
        path = system / "dev" / running.disk
        return Source(str(path), inspect(path), running=running)
    found = _of_directory(running.mount, running.directory, system)
    return replace(found, running=running)


def _of_directory(path: Path, name: str | None, system: Path) -> Source:
    """A directory of the host: of a medium, or of one of its images."""
    if name is None and holds_root(scene_of_directory(path)):
        path = path.absolute()
        path, name = path.parent, path.name
    with _directory_scene(path, system) as (scene, source):
        return _of_scene(scene, source, str(path), name)


@contextmanager
def _directory_scene(path: Path, system: Path) -> Iterator[tuple[Scene, ByteSource | None]]:
    """Mounted partitions show their own files only: what boots them may be in the ESP beside."""
    scene = scene_of_directory(path)
    mounted = _mounted(path, system)
    if scene.kind is not MediumKind.DIRECTORY or mounted is None or _boots(scene):
        yield scene, None
        return
    disk, partition = mounted
    try:
        with FileSource(disk) as source:
            yield _with_esp(scene, scene_of_file(disk, source), partition), source
    except PermissionError as error:
        raise NotPermittedError(
            f"the boot files of {path} are not on it but elsewhere on {disk}, which may not be"
            " read",
            hint="run it as root",
        ) from error
    except FormatError as error:
        raise UnsupportedError(f"{disk}: {error}") from error


def _with_esp(mounted: Scene, disk: Scene, partition: int) -> Scene:
    """The mounted files, as the kernel has them, with the ESP of their disk."""
    own = next((each for each in disk.partitions if each.number == partition), None)
    label, uuid = (None, None) if own is None else (own.label, own.uuid)
    volume = replace(open_directory(mounted.path), label=label, uuid=uuid)
    esp = () if disk.esp is None else (disk.esp,)
    return replace(
        disk, path=mounted.path, label=label, volumes=(volume, *esp), findings=disk.findings
    )


def _boots(scene: Scene) -> bool:
    """Whether there is a menu."""
    return any(image.kernels for image in find_images(scene).images)


def _mounted(path: Path, system: Path) -> tuple[Path, int] | None:
    """The disk, and the number of the partition, that is mounted at a path."""
    mounts = parse_mounts((system / "proc/self/mountinfo").read_text(errors="replace"))
    point = "/" + str(path.resolve().relative_to(system.resolve()))
    here: list[Mount] = [mount for mount in mounts if mount.point == point][-1:]
    for mount in here:
        device = (system / "sys/dev/block" / mount.device).resolve()
        if (device / "partition").exists():
            number = int((device / "partition").read_text())
            return system / "dev" / device.parent.name, number
    return None


def _of_scene(scene: Scene, source: ByteSource | None, path: str, name: str | None) -> Source:
    """One image of a stick."""
    payload = choose_payload(scene, name)
    medium = facts_of(scene, source)
    images = zip(find_payloads(scene), medium.images, strict=True)
    image = next(each for other, each in images if other.node.path == payload.node.path)
    record = find_record(payload.volume, payload.directory)
    label = (source_label(record[1]) if record else None) or medium.label
    written_to = image.overlay is not None and image.overlay.kind is PersistenceKind.DIRECT
    noted = tuple(
        file
        for file in (noted_files(record[1]) if record else ())
        if not (written_to and image.root.file and file.path == image.root.file.path)
    )
    spec = f"{path}:{payload.directory}" if payload.directory else path
    return Source(spec, replace(medium, label=label, images=(_without_memory(image),)), noted)


def _without_memory(image: Image) -> Image:
    """Its kernel lines without the words for a home and for swap that stay where they are."""
    entries = tuple(replace(entry, options=_kept(entry)) for entry in image.entries)
    return replace(image, entries=entries)


def _kept(entry: Entry) -> tuple[str, ...]:
    return tuple(
        word for word in entry.options if not is_home_word(word) and not is_swap_word(word)
    )
