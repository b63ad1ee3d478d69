# SPDX-License-Identifier: Apache-2.0
"""A throw-away layer over a medium, and kernel arguments that exist only in that layer.

The boot menus are edited where the firmware will read them: in every FAT filesystem (a stick's
ESP, an ISO's El Torito image) and in an ISO's own tree. Menus are not signed, so the chain of a
Secure Boot stays what it was. The medium itself is only ever read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from liveos.errors import ToolFailedError
from liveos.formats.binary import ByteSource, FileSource, FormatError, Window
from liveos.formats.eltorito import read_catalogue
from liveos.formats.fat import Fat, read_geometry
from liveos.formats.iso9660 import Iso9660
from liveos.formats.partitions import read_table
from liveos.formats.tree import FileKind, FileTree, Node
from liveos.host.qemu import layer_command, patch_command
from liveos.host.run import run
from liveos.host.volumes import FatVolume
from liveos.operations.boot_words import edit_menu, has_kernel_line

_MENU_SUFFIXES = (".cfg", ".conf", ".lst")
_LARGEST_MENU = 256 * 1024
_SECTOR = 2048
_BLOCK = 4096
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Patch:
    """Bytes that take the place of what the medium has at ``offset``."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class MenuEdits:
    """What makes the menus of a medium start the kernel with other words."""

    menus: tuple[str, ...] = ()
    patches: tuple[Patch, ...] = ()

    def __add__(self, other: "MenuEdits") -> "MenuEdits":
        return MenuEdits(self.menus + other.menus, self.patches + other.patches)


def make_layer(medium: Path, layer: Path, edits: MenuEdits) -> None:
    """A layer over ``medium`` that has ``edits``; it grows when they lie behind its end."""
    with FileSource(medium) as source:
        ends = [patch.offset + len(patch.data) for patch in edits.patches]
        size = max([source.size, *ends])
    run(layer_command(medium, layer, -(-size // _SECTOR) * _SECTOR))
    for patch in edits.patches:
        run(patch_command(layer, patch.offset, len(patch.data)), stdin=patch.data)


def edit_menus(medium: Path, workspace: Path) -> MenuEdits:
    """Edits for every menu of a medium that firmware may come to read."""
    with FileSource(medium) as source:
        windows = tuple(_fat_windows(source))
        edits = edit_iso(source) if is_iso(source) else MenuEdits()
    return sum((edit_fat(medium, *window, workspace) for window in windows), edits)


def is_iso(source: ByteSource) -> bool:
    """Whether a medium begins with an ISO 9660 volume."""
    try:
        Iso9660(source)
    except FormatError:
        return False
    return True


def _fat_windows(source: ByteSource) -> Iterator[tuple[int, int]]:
    """(offset, size) of each FAT filesystem: the medium itself, partitions, El Torito images."""
    table = read_table(source)
    offsets = {0, *(partition.offset for partition in (table.partitions if table else ()))}
    offsets |= {image.offset for image in read_catalogue(source)} if is_iso(source) else set()
    for offset in sorted(offsets):
        try:
            window = Window(source, offset, source.size - offset)
            yield offset, read_geometry(window).size
        except FormatError:
            continue


def edit_iso(source: ByteSource) -> MenuEdits:
    """The menus in an ISO's own tree, put behind its end, where there is room for any text.

    A directory record holds its file's block and size twice, in both byte orders (ECMA-119
    7.3.3). Those sixteen bytes name the file uniquely, so they are looked for as they are, which
    also finds its hard links.
    """
    tree = Iso9660(source)
    below = (node for node in tree.walk() if node.kind is FileKind.DIRECTORY)
    listings = [
        (extent.offset, source.read_at(extent.offset, extent.length))
        for directory in (tree.root, *below)
        for extent in tree.extents(directory) or ()
        if extent.offset is not None
    ]
    edits, end = MenuEdits(), -(-source.size // _SECTOR) * _SECTOR
    for node, text in _menus(tree):
        (extent, *_) = tree.extents(node) or (None,)
        if extent is None or extent.offset is None:
            continue
        old = _location(extent.offset, node.size)
        new = edit_menu(text).encode("utf-8", "surrogateescape")
        records = [
            Patch(start + place, _location(end, len(new)))
            for start, listing in listings
            for place in _occurrences(listing, old)
        ]
        content = new.ljust(-(-len(new) // _SECTOR) * _SECTOR, b"\0")
        names = (node.path,) if has_kernel_line(text) else ()
        edits += MenuEdits(names, (Patch(end, content), *records))
        end += len(content)
    return edits


def _menus(tree: FileTree) -> Iterator[tuple[Node, str]]:
    """The menus of a tree that have something to edit, each place on the disc once."""
    seen = set()
    for node in tree.walk():
        if node.kind is FileKind.FILE and _may_be_menu(node.path, node.size):
            extents = tree.extents(node)
            text = tree.open(node).read_at(0, node.size).decode("utf-8", "surrogateescape")
            if extents not in seen and edit_menu(text) != text:
                seen.add(extents)
                yield node, text


def edit_fat(medium: Path, offset: int, size: int, workspace: Path) -> MenuEdits:
    """The menus in a FAT filesystem: edited in a copy, of which the changed blocks are taken.

    A copy of the whole filesystem is what lets the filesystem's own tools do the work. It is
    sparse, and an ESP is small.
    """
    copy = FatVolume(workspace / f"fat-{offset}", 0, size)
    with FileSource(medium) as source:
        original = Window(source, offset, size)
        _copy_sparse(original, copy.path)
        tree = Fat(original)
        menus = tuple(_edit_fat_menu(copy, node.path, text) for node, text in _menus(tree))
        with FileSource(copy.path) as edited:
            patches = tuple(_differences(original, edited, offset))
    copy.path.unlink()
    return MenuEdits(tuple(menu for menu in menus if menu), patches)


def _edit_fat_menu(volume: FatVolume, path: str, text: str) -> str | None:
    """Edit one menu in place; its path if it starts a kernel."""
    edited = edit_menu(text)
    try:
        run(volume.write(path), stdin=edited.encode("utf-8", "surrogateescape"))
    except ToolFailedError as error:
        raise FormatError(f"{path}: no room for kernel arguments ({error})") from error
    return path if has_kernel_line(edited) else None


def _may_be_menu(path: str, size: int) -> bool:
    return path.casefold().endswith(_MENU_SUFFIXES) and 0 < size <= _LARGEST_MENU


def _location(offset: int, size: int) -> bytes:
    block = offset // _SECTOR
    return b"".join(
        number.to_bytes(4, order) for number in (block, size) for order in ("little", "big")
    )


def _occurrences(data: bytes, wanted: bytes) -> Iterator[int]:
    place = data.find(wanted)
    while place >= 0:
        yield place
        place = data.find(wanted, place + 1)


def _copy_sparse(source: ByteSource, path: Path) -> None:
    with path.open("wb") as copy:
        for offset in range(0, source.size, _PIECE):
            piece = source.read_at(offset, min(_PIECE, source.size - offset))
            if piece.count(0) != len(piece):
                copy.seek(offset)
                copy.write(piece)
        copy.truncate(source.size)


def _differences(old: ByteSource, new: ByteSource, base: int) -> Iterator[Patch]:
    """The blocks in which two sources of one size differ, at ``base`` plus their offset."""
    for offset in range(0, old.size, _PIECE):
        length = min(_PIECE, old.size - offset)
        before, after = old.read_at(offset, length), new.read_at(offset, length)
        if before == after:
            continue
        for start in range(0, length, _BLOCK):
            block = after[start : start + _BLOCK]
            if block != before[start : start + _BLOCK]:
                yield Patch(base + offset + start, block)
