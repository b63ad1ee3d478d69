# SPDX-License-Identifier: Apache-2.0
"""Filesystems of a medium: what each is called, how full it is, and where its files lie."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from liveos.formats.binary import ByteSource, Extent, FormatError
from liveos.formats.erofs.reader import EroFs
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.replay import recover
from liveos.formats.fat.reader import Fat
from liveos.formats.identify import Kind, identify
from liveos.formats.iso9660.reader import Iso9660
from liveos.formats.squashfs.reader import SquashFs
from liveos.formats.tree import FileKind, FileTree, Node
from liveos.medium.directory_tree import DirectoryTree
from liveos.medium.model import FileRef


@dataclass(frozen=True, slots=True)
class Volume:
    """A filesystem that can be read.

    ``filesystem`` is named as blkid names it; ``directory`` is a directory of the host.
    ``offset`` is where it begins in ``container``, a file or device of the host; None when it
    lies there in pieces or compressed. Sizes are None where the filesystem does not count them.
    """

    tree: FileTree
    filesystem: str
    container: Path
    offset: int | None = 0
    label: str | None = None
    uuid: str | None = None
    size: int | None = None
    used_size: int | None = None
    compression: str | None = None

    def ref(self, node: Node) -> FileRef:
        """A file of this filesystem, so that it can be streamed later."""
        if self.filesystem == "directory":
            return FileRef(node.path, node.size, node.handle, (Extent(0, node.size),))
        return FileRef(node.path, node.size, self.container, self._extents(node))

    def _extents(self, node: Node) -> tuple[Extent, ...] | None:
        extents = self.tree.extents(node)
        if extents is None or self.offset is None:
            return None
        return tuple(
            Extent(None if piece.offset is None else piece.offset + self.offset, piece.length)
            for piece in extents
        )

    def find_file(self, path: str) -> Node | None:
        """The regular file at a path, whatever the case of its name; None where there is none."""
        try:
            node = self.tree.resolve(path, ignore_case=True)
        except FormatError:
            return None
        return node if node is not None and node.kind is FileKind.FILE else None

    def list_names(self, path: str) -> list[str]:
        """The names in a directory, whatever the case of its name; nothing where there is none."""
        try:
            node = self.tree.resolve(path, ignore_case=True)
            if node is None or node.kind is not FileKind.DIRECTORY:
                return []
            return [name for name, _ in self.tree.scan(node)]
        except FormatError:
            return []


def open_directory(path: Path) -> Volume:
    """A directory of the host as a volume."""
    return Volume(DirectoryTree(path), "directory", path)


def open_volume(source: ByteSource, container: Path, offset: int | None = 0) -> Volume:
    """The filesystem in ``source``, which begins at ``offset`` of ``container``.

    :raises FormatError: there is none that can be read, or it is damaged.
    """
    identity = identify(source)
    if identity is None:
        raise FormatError("no filesystem that is known")
    if identity.kind not in _OPENERS:
        raise FormatError(f"a filesystem of the kind {identity.kind}, which is not read")
    return _OPENERS[identity.kind](source, container, offset)


def _open_ext4(source: ByteSource, container: Path, offset: int | None) -> Volume:
    tree = _ext4_as_mounted(source)
    facts = tree.superblock
    return Volume(
        tree,
        facts.filesystem,
        container,
        offset,
        facts.label or None,
        facts.uuid,
        facts.size,
        facts.used_size,
    )


def _ext4_as_mounted(source: ByteSource) -> Ext4:
    """What a kernel would show: one that was not unmounted has news in its journal."""
    tree = Ext4(source)
    if tree.superblock.needs_recovery:
        with suppress(FormatError):  # of fast commits, and of damage, the state before is shown
            return Ext4(recover(source))
    return tree


def _open_fat(source: ByteSource, container: Path, offset: int | None) -> Volume:
    tree = Fat(source)
    return Volume(
        tree, "vfat", container, offset, tree.label, tree.geometry.serial, tree.geometry.size
    )


def _open_iso9660(source: ByteSource, container: Path, offset: int | None) -> Volume:
    tree = Iso9660(source)
    facts = tree.volume
    return Volume(tree, "iso9660", container, offset, facts.label or None, facts.uuid, facts.size)


def _open_squashfs(source: ByteSource, container: Path, offset: int | None) -> Volume:
    tree = SquashFs(source)
    used = tree.superblock.bytes_used
    return Volume(tree, "squashfs", container, offset, size=used, compression=tree.compression)


def _open_erofs(source: ByteSource, container: Path, offset: int | None) -> Volume:
    tree = EroFs(source)
    facts = tree.superblock
    return Volume(
        tree,
        "erofs",
        container,
        offset,
        facts.label or None,
        facts.uuid,
        facts.size,
        compression=tree.compression,
    )


_OPENERS: dict[Kind, Callable[[ByteSource, Path, int | None], Volume]] = {
    Kind.EXT2: _open_ext4,
    Kind.EXT3: _open_ext4,
    Kind.EXT4: _open_ext4,
    Kind.VFAT: _open_fat,
    Kind.ISO9660: _open_iso9660,
    Kind.SQUASHFS: _open_squashfs,
    Kind.EROFS: _open_erofs,
}
