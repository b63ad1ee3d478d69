# SPDX-License-Identifier: Apache-2.0
"""How much room an overlay has and how full it is, from metadata alone: no file is counted."""

from dataclasses import dataclass
from pathlib import Path

from liveos.formats.binary import FormatError
from liveos.medium.model import Overlay, PersistenceKind, Root
from liveos.medium.overlay.locate import place_in
from liveos.medium.overlay.status import of_store
from liveos.medium.volume import Volume, open_volume


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that an overlay has in all, and that are free; None where that is not known.

    A directory has no size of its own: it shares what is free on its filesystem.
    """

    size: int | None = None
    free: int | None = None
    fullness: float | None = None


def room_of(volume: Volume, overlay: Overlay, root: Root) -> Room:
    """The room of an image's overlay; nothing is known of what is damaged."""
    try:
        match overlay.kind:
            case PersistenceKind.SNAPSHOT:
                return _of_store(volume, overlay)
            case PersistenceKind.DIRECTORY:
                return Room(free=_free_around(volume, overlay))
            case PersistenceKind.IMAGE:
                return _of_image(volume, overlay)
            case PersistenceKind.DIRECT:
                return _of_filesystem(root.apparent_size, root.used_size)
    except FormatError:
        return Room(overlay.size)


def _of_store(volume: Volume, overlay: Overlay) -> Room:
    node = volume.tree.lookup(overlay.path)
    if node is None:
        return Room(overlay.size)
    status = of_store(volume.tree.open(node), overlay.path, overlay.path)
    return Room(status.size, status.free_size, status.fullness)


def _of_image(volume: Volume, overlay: Overlay) -> Room:
    node = volume.tree.lookup(overlay.path)
    if node is None:
        return Room(overlay.size)
    inner = open_volume(volume.tree.open(node), Path(overlay.path), None)
    return _of_filesystem(inner.size, inner.used_size)


def _of_filesystem(size: int | None, used: int | None) -> Room:
    if not size or used is None:
        return Room(size)
    return Room(size, max(0, size - used), min(1.0, used / size))


def _free_around(volume: Volume, overlay: Overlay) -> int | None:
    if volume.filesystem == "directory":
        return place_in(volume, overlay.path).folder.free()
    if volume.size is None or volume.used_size is None:
        return None
    return max(0, volume.size - volume.used_size)
