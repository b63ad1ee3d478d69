# SPDX-License-Identifier: Apache-2.0
"""The read-only root under an overlay, read in place from whatever it is packed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from liveos.formats.binary import ByteSource, FileSource, FormatError
from liveos.formats.identify import Kind, identify
from liveos.formats.tree import FileTree, Node
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.medium.model import MediumKind
from liveos.medium.open_scene import scene_of_file
from liveos.medium.payloads import find_payloads
from liveos.medium.root import find_nested
from liveos.medium.volume import Volume, open_volume


@dataclass(frozen=True, slots=True)
class Origin:
    """A root: its files, and its bytes where it is a filesystem image of its own.

    ``source`` is what the kernel has as the origin of a snapshot: the nested ``rootfs.img``, or
    an uncompressed one. It is None for a flat squashfs or EROFS, which has no snapshot overlay.
    ``tree`` is None for a filesystem whose files cannot be read here, such as XFS. ``place`` is
    where the bytes can be changed: a file that holds nothing but them.
    """

    name: str
    source: ByteSource | None
    tree: FileTree | None
    place: FolderFile | None = None


def origin_in(volume: Volume, node: Node, place: FolderFile | None = None) -> Origin:
    """The root in the file ``node`` of a volume, which can be changed at ``place``."""
    name = f"{volume.container}:{node.path}"
    return origin_of(volume.tree.open(node), name, volume.container, place)


def origin_of(
    source: ByteSource, name: str, container: Path, place: FolderFile | None = None
) -> Origin:
    """The root that ``source`` is or holds; ``name`` is how people know it."""
    try:
        outer = open_volume(source, container, None)
    except FormatError:
        return Origin(name, source, None, place)
    if outer.filesystem not in {"squashfs", "erofs"}:
        return Origin(name, source, outer.tree, place)
    nested = find_nested(outer)
    if nested is None:
        return Origin(name, None, outer.tree)
    return origin_of(outer.tree.open(nested), f"{name}:{nested.path}", container)


@contextmanager
def open_origin(path: Path) -> Iterator[Origin]:
    """The root in a file of the host: ``rootfs.img``, ``squashfs.img``, an ISO or a stick.

    :raises FormatError: there is no root in it.
    """
    with FileSource(path) as source:
        identity = identify(source)
        if identity is None:
            raise FormatError(f"{path}: no filesystem that is known")
        if identity.kind not in {Kind.ISO9660, Kind.GPT, Kind.MBR}:
            place = FolderFile(HostFolder(path.parent), path.name)
            yield origin_of(source, str(path), path, place)
            return
        scene = scene_of_file(path, source)
        payloads = find_payloads(scene)
        if len(payloads) != 1:
            what = "ISO" if scene.kind is MediumKind.ISO else "stick"
            raise FormatError(f"{path}: the {what} has {len(payloads)} images, not one")
        yield origin_in(payloads[0].volume, payloads[0].node)
