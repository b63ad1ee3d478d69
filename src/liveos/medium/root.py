# SPDX-License-Identifier: Apache-2.0
"""The layers of a payload: file, container, nested root, its filesystem."""

from pathlib import Path

from liveos.formats.binary import FormatError
from liveos.formats.tree import Node
from liveos.medium.model import Container, FileRef, Root
from liveos.medium.volume import Volume, open_volume

# Where a nested root lies in its container (images.md 1.0); os.img is Fedora 7's.
_NESTED = ("/LiveOS/rootfs.img", "/LiveOS/ext3fs.img", "/rootfs.img", "/os.img")
_CONTAINERS = {"squashfs": Container.SQUASHFS, "erofs": Container.EROFS}


def read_root(volume: Volume, node: Node) -> Root:
    """The root that is in a file of a volume.

    :raises FormatError: the file is no filesystem, or one that cannot be read.
    """
    file = volume.ref(node)
    outer = open_volume(volume.tree.open(node), file.container, _single_offset(file))
    return root_of(outer, file)


def root_of(outer: Volume, file: FileRef) -> Root:
    """The root that a filesystem is or holds; ``file`` is where it is stored."""
    container = _CONTAINERS.get(outer.filesystem, Container.NONE)
    nested = find_nested(outer) if container is not Container.NONE else None
    if nested is None:
        return _root(outer, container, file, outer, None)
    try:
        inner = open_volume(outer.tree.open(nested), file.container, None)
    except FormatError as error:
        raise FormatError(f"{nested.path} in {file.path}: {error}") from error
    return _root(outer, container, file, inner, nested)


def _root(
    outer: Volume, container: Container, file: FileRef, inner: Volume, nested: Node | None
) -> Root:
    is_flat = nested is None and container is not Container.NONE
    return Root(
        file=file,
        container=container,
        compression=outer.compression,
        nested=nested.path[1:] if nested else None,
        filesystem=inner.filesystem,
        label=inner.label,
        uuid=inner.uuid,
        # A flat image does not count what its files would take when unpacked.
        apparent_size=nested.size if nested else None if is_flat else file.size,
        used_size=None if is_flat else inner.used_size,
        stored_size=file.size,
    )


def find_nested(outer: Volume) -> Node | None:
    """The root filesystem image inside a container, under any of the names of all eras."""
    for path in _NESTED:
        node = outer.find_file(path)
        if node is not None:
            return node
    return None


def _single_offset(file: FileRef) -> int | None:
    """Where a file begins in its container, if it lies there in one piece."""
    pieces = file.extents or ()
    return pieces[0].offset if len(pieces) == 1 else None


def whole_file(path: Path, size: int) -> FileRef:
    """A file of the host that is itself the image."""
    return FileRef(f"/{path.name}", size, path)
