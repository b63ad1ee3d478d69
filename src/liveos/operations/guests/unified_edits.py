# SPDX-License-Identifier: Apache-2.0
"""Kernel arguments in unified kernel images, which have their command line in a section."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from liveos.errors import UnsupportedError
from liveos.formats.binary import Extent, FormatError, Window
from liveos.formats.programs.pe import Section
from liveos.formats.tree import FileKind, FileTree, Node
from liveos.host.unified import command_line_section, padded
from liveos.operations.guests.layer import Patch

_DIRECTORY = "/EFI/BOOT"


def edit_unified(
    original: Window, tree: FileTree, edit: Callable[[str], str]
) -> Iterator[tuple[str, tuple[Patch, ...]]]:
    """(path, patches) for each image that the firmware starts by itself and that has room.

    ``original`` is the filesystem that ``tree`` reads.
    """
    for node in _programs(tree):
        with suppress(FormatError, UnsupportedError):
            source = tree.open(node)
            section = command_line_section(source)
            old = source.read_at(section.offset, section.size)
            # The words begin where a menu's line has a blank before them.
            new = padded(edit(" " + old.rstrip(b"\0").decode("utf-8", "replace")).strip())
            if len(new) <= section.size:
                yield node.path, tuple(_patches(original, tree, node, section, new))


def _programs(tree: FileTree) -> Iterator[Node]:
    directory = tree.resolve(_DIRECTORY, ignore_case=True)
    if directory is None or directory.kind is not FileKind.DIRECTORY:
        return
    for name, reference in tree.scan(directory):
        if name.casefold().endswith(".efi"):
            yield tree.load(f"{directory.path}/{name}", reference)


def _patches(
    original: Window, tree: FileTree, node: Node, section: Section, new: bytes
) -> Iterator[Patch]:
    """The new section, in the pieces in which the file lies there."""
    extents: tuple[Extent, ...] = tree.extents(node) or ()
    start = 0
    for extent in extents:
        first = max(start, section.offset)
        last = min(start + extent.length, section.offset + len(new))
        if first < last and extent.offset is not None:
            place = original.offset + extent.offset + first - start
            yield Patch(place, new[first - section.offset : last - section.offset])
        start += extent.length
