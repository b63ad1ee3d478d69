# SPDX-License-Identifier: Apache-2.0
"""Kernel arguments for the boot menus of a medium, as patches for a throw-away layer over it.

The menus are edited where the firmware will read them: in every FAT filesystem (a stick's ESP, an
ISO's El Torito image) and in an ISO's own tree. Menus are not signed, so the chain of a Secure
Boot stays what it was.
"""

import posixpath
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from liveos.errors import ToolFailedError
from liveos.formats.binary import ByteSource, FileSource, FormatError, Window
from liveos.formats.ext4.reader import Ext4
from liveos.formats.fat.reader import Fat, read_geometry
from liveos.formats.identify import Kind as IdentifiedKind
from liveos.formats.identify import identify
from liveos.formats.iso9660.el_torito import read_catalogue
from liveos.formats.iso9660.reader import Iso9660
from liveos.formats.partitions import read_table
from liveos.formats.tree import FileKind, FileTree, Node
from liveos.host.run import run
from liveos.host.volumes import Ext4Volume, FatVolume
from liveos.operations.guests.kernel_words import edit_menu, has_kernel_line
from liveos.operations.guests.layer import Patch
from liveos.operations.guests.submenu_starts import submenu_starts
from liveos.operations.guests.unified_edits import edit_unified
from liveos.operations.menus.text import DIRECTORY

_MENU_SUFFIXES = (".cfg", ".conf", ".lst")
_LARGEST_MENU = 256 * 1024
_BOOT_DIRECTORIES = frozenset(
    {"boot", "efi", "extlinux", "images", "isolinux", "loader", "syslinux"}
)
_EXT = frozenset({IdentifiedKind.EXT2, IdentifiedKind.EXT3, IdentifiedKind.EXT4})
_DEEPEST = 6  # /EFI/BOOT/x/y/z; deeper trees are somebody's loop
_IMAGE_DEPTH = 2  # /liveos/NAME
_SECTOR = 2048
_SYSTEM_AREA = 16 * _SECTOR  # ECMA-119 6.2.1
_BLOCK = 4096
_PIECE = 1 << 20

_Edit = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class MenuEdits:
    """What makes the menus of a medium start the kernel with other words.

    ``menus`` are the paths of those that start one.
    """

    menus: tuple[str, ...] = ()
    patches: tuple[Patch, ...] = ()

    def __add__(self, other: "MenuEdits") -> "MenuEdits":
        return MenuEdits(self.menus + other.menus, self.patches + other.patches)


def edit_menus(
    medium: Path,
    workspace: Path,
    words: tuple[str, ...],
    entry: int | None = None,
    *,
    writable: bool = False,
) -> MenuEdits:
    """Edits that put ``words`` into every menu of a medium that firmware may come to read.

    ``entry`` is the one that a stick's menu starts by itself then; with ``writable`` no overlay is
    only read. Such edits change the same bytes, so that one may follow the other.
    """
    starts = submenu_starts(medium, entry)

    def edit(text: str, path: str) -> str:
        new = edit_menu(text, words=words, entry=entry, writable=writable)
        return new + starts.get(path.casefold(), "")

    with FileSource(medium) as source:
        edits = _edit_iso(source, edit) if is_iso(source) else MenuEdits()
        for window, kind in _filesystems(source):
            with suppress(FormatError):  # a damaged filesystem is for the firmware to judge
                copy = workspace / f"filesystem-{window.offset}"
                edits += _edit_filesystem(window, kind, copy, edit)
                no_menu = partial(edit, path="")
                for path, patches in edit_unified(window, kind.read(window), no_menu):
                    edits += MenuEdits((path,), patches)
    return edits


def is_iso(source: ByteSource) -> bool:
    """Whether a medium begins with an ISO 9660 volume."""
    identity = identify(source)
    return identity is not None and identity.kind is IdentifiedKind.ISO9660


def _filesystems(source: ByteSource) -> Iterator[tuple[Window, "_Kind"]]:
    """FAT and ext4 in partitions, in El Torito images, and on the bare medium."""
    table = read_table(source)
    places = {part.offset: part.size for part in (table.partitions if table else ())}
    images = read_catalogue(source) if is_iso(source) else ()
    places |= {image.offset: source.size - image.offset for image in images}
    for offset, size in ({0: source.size} | places).items():
        with suppress(FormatError):
            whole = Window(source, offset, size)
            identity = identify(whole)
            if identity is not None and identity.kind is IdentifiedKind.VFAT:
                yield Window(source, offset, read_geometry(whole).size), _FAT
            elif identity is not None and identity.kind in _EXT:
                yield whole, _EXT4


def _edit_iso(source: ByteSource, edit: _Edit) -> MenuEdits:
    """The menus in an ISO's own tree: in their own sectors, or in unused ones of the system area.

    Space behind the volume's end would never be short, but GRUB 2.12 does not read there. A
    directory record holds its file's block and size twice, in both byte orders (ECMA-119
    7.3.3). Those sixteen bytes name the file uniquely, so they are looked for as they are, which
    also finds its hard links.
    """
    tree = Iso9660(source)
    below = (node for node in _boot_files(tree) if node.kind is FileKind.DIRECTORY)
    listings = [
        (extent.offset, source.read_at(extent.offset, extent.length))
        for directory in (tree.root, *below)
        for extent in tree.extents(directory) or ()
        if extent.offset is not None
    ]
    edits, unused = MenuEdits(), _unused_offset(source)
    for node, text in _menus(tree, edit):
        new = edit(text, node.path).encode("utf-8", "surrogateescape")
        (extent,) = tree.extents(node) or ()
        assert extent.offset is not None
        place = extent.offset
        if _padded(len(new)) > _padded(node.size):
            place, unused = unused, unused + _padded(len(new))
        if unused > _SYSTEM_AREA:
            break
        records = _records(
            listings, _location(extent.offset, node.size), _location(place, len(new))
        )
        content = Patch(place, new.ljust(_padded(len(new)), b"\0"))
        names = (node.path,) if has_kernel_line(text) else ()
        edits += MenuEdits(names, (content, *records))
    return edits


def _unused_offset(source: ByteSource) -> int:
    """Where the zeros at the end of the system area begin; before are boot code and tables."""
    area = source.read_at(0, _SYSTEM_AREA)
    return max(_SECTOR, _padded(len(area.rstrip(b"\0"))))


def _records(listings: list[tuple[int, bytes]], old: bytes, new: bytes) -> Iterator[Patch]:
    """``new`` in each place of the directories that has ``old``."""
    for start, listing in listings:
        place = listing.find(old)
        while place >= 0:
            yield Patch(start + place, new)
            place = listing.find(old, place + 1)


def _location(offset: int, size: int) -> bytes:
    block = offset // _SECTOR
    return b"".join(
        number.to_bytes(4, "little") + number.to_bytes(4, "big") for number in (block, size)
    )


def _padded(size: int) -> int:
    return -(-size // _SECTOR) * _SECTOR


def _edit_filesystem(original: Window, kind: "_Kind", copy: Path, edit: _Edit) -> MenuEdits:
    """The menus in a filesystem: edited in a copy, of which the changed blocks are taken.

    A copy of the whole filesystem is what lets the filesystem's own tools do the work. It is
    sparse, and only made when there is a menu. Without room for the words, nothing is edited.
    """
    menus = list(_menus(kind.read(original), edit))
    if not menus:
        return MenuEdits()
    new_texts = {
        node.path: edit(text, node.path).encode("utf-8", "surrogateescape") for node, text in menus
    }
    try:
        _copy_sparse(original, copy)
        for path, new in new_texts.items():
            kind.write(copy, path, new)
        with FileSource(copy) as edited:
            # mcopy and debugfs call a copy that filled the filesystem a success.
            if not all(_has(kind.read(edited), path, new) for path, new in new_texts.items()):
                return MenuEdits()
            patches = tuple(_differences(original, edited))
    except ToolFailedError:
        return MenuEdits()
    finally:
        copy.unlink()
    return MenuEdits(tuple(node.path for node, text in menus if has_kernel_line(text)), patches)


def _write_fat(filesystem: Path, path: str, content: bytes) -> None:
    run(FatVolume(filesystem, 0, filesystem.stat().st_size).write(path), stdin=content)


def _write_ext4(filesystem: Path, path: str, content: bytes) -> None:
    """Replace a file; debugfs writes only into its current directory, and only from a file."""
    new = filesystem.with_suffix(".menu")
    new.write_bytes(content)
    directory, _, name = path.rpartition("/")
    commands = f'cd "{directory or "/"}"\nrm "{name}"\nwrite "{new}" "{name}"\n'
    # Two edits must not differ by their times: a guest may have written the inodes beside.
    clock = (("E2FSPROGS_FAKE_TIME", "1"),)
    edit = Ext4Volume(filesystem, 0, filesystem.stat().st_size).edit()
    run(replace(edit, environment=clock), stdin=commands.encode())
    new.unlink()


@dataclass(frozen=True, slots=True)
class _Kind:
    """A filesystem that can be read here, and written by a program."""

    read: Callable[[ByteSource], FileTree]
    write: Callable[[Path, str, bytes], None]


_FAT = _Kind(Fat, _write_fat)
_EXT4 = _Kind(Ext4, _write_ext4)


def _has(tree: FileTree, path: str, content: bytes) -> bool:
    node = tree.lookup(path)
    if node is None or node.size != len(content):
        return False
    return tree.open(node).read_at(0, node.size) == content


def _menus(tree: FileTree, edit: _Edit) -> Iterator[tuple[Node, str]]:
    """The menus of a tree that have something to edit, each place on the disk once."""
    seen = set()
    for node in _boot_files(tree):
        if not _may_be_menu(node):
            continue
        extents = tree.extents(node)
        text = tree.open(node).read_at(0, node.size).decode("utf-8", "surrogateescape")
        if extents not in seen and edit(text, node.path) != text:
            seen.add(extents)
            yield node, text


def _boot_files(tree: FileTree) -> Iterator[Node]:
    """Files and directories where boot loaders look; a stick may have many others."""
    waiting = [tree.root]
    while waiting:
        directory = waiting.pop()
        for name, reference in tree.scan(directory):
            node = tree.load(posixpath.join(directory.path, name), reference)
            if node.kind is FileKind.DIRECTORY and _may_hold_menus(node.path):
                waiting.append(node)
            yield node


def _may_hold_menus(path: str) -> bool:
    # On one FAT partition ours is ``/LiveOS``, which elsewhere has overlays with etc/*.conf.
    top, depth = path.split("/")[1].casefold(), path.count("/")
    if f"/{top}" == DIRECTORY:
        return depth <= _IMAGE_DEPTH
    # What livecd-iso-to-disk gives a further image is /NAME/syslinux (livecd-tools.md 2.6).
    if depth == 1 or (depth == _IMAGE_DEPTH and path.casefold().endswith("/syslinux")):
        return True
    return top in _BOOT_DIRECTORIES and depth <= _DEEPEST


def _may_be_menu(node: Node) -> bool:
    named_so = node.path.casefold().endswith(_MENU_SUFFIXES)
    return node.kind is FileKind.FILE and named_so and 0 < node.size <= _LARGEST_MENU


def _copy_sparse(source: ByteSource, path: Path) -> None:
    with path.open("wb") as copy:
        for offset in range(0, source.size, _PIECE):
            piece = source.read_at(offset, min(_PIECE, source.size - offset))
            if piece != bytes(len(piece)):
                copy.seek(offset)
                copy.write(piece)
        copy.truncate(source.size)


def _differences(old: Window, new: ByteSource) -> Iterator[Patch]:
    """The blocks in which a window and its edited copy differ, where they lie in the medium."""
    for offset in range(0, old.size, _PIECE):
        length = min(_PIECE, old.size - offset)
        before, after = old.read_at(offset, length), new.read_at(offset, length)
        if before == after:
            continue
        for start in range(0, length, _BLOCK):
            block = after[start : start + _BLOCK]
            if block != before[start : start + _BLOCK]:
                yield Patch(old.offset + offset + start, block)
