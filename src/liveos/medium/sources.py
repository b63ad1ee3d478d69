# SPDX-License-Identifier: Apache-2.0
"""What an installation starts from: an ISO, one image of a stick, or the running system."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from liveos.formats.binary import ByteSource
from liveos.medium.home.words import is_home_word, is_swap_word
from liveos.medium.inspect import facts_of, inspect, opened
from liveos.medium.model import Entry, Image, Medium, MediumKind, PersistenceKind
from liveos.medium.mounted import opened_with_esp, started_from_beside
from liveos.medium.open_scene import scene_of_directory
from liveos.medium.overlay.locate import choose_payload, parse_spec
from liveos.medium.payloads import find_payloads, holds_root
from liveos.medium.record import NotedFile, find_record, noted_files, source_label
from liveos.medium.running import Running, find_running, is_live
from liveos.medium.scene import Scene

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
    if is_live(words):
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
    mounted = started_from_beside(path, system)
    if mounted is None:
        yield scene_of_directory(path), None
        return
    with opened_with_esp(mounted) as found:
        yield found


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
