# SPDX-License-Identifier: Apache-2.0
"""The size of an overlay of another kind, and whether there is room for it and for the work."""

import os
import tempfile

from liveos.errors import NoSpaceError
from liveos.formats.ext4.reader import Ext4
from liveos.formats.tree import FileKind
from liveos.medium.installation import Installation
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.upper import contents
from liveos.operations.install.overlay import most_useful, store_size
from liveos.operations.install.sizes import AUTO, Wishes, share_out
from liveos.operations.overlay.upper.needs import Needs
from liveos.operations.steps.whole_overlay import leftovers
from liveos.sizes import Size, format_size

_BLOCK = 4096


def chosen_size(
    found: Installation, overlay: OpenOverlay, to: PersistenceKind, wish: Size | None, needs: Needs
) -> tuple[int | None, tuple[str, ...]]:
    """Bytes of the new file, and notes: as said, as the old one, or as a new stick would have it.

    A directory has none.
    """
    if to is PersistenceKind.DIRECTORY:
        return None, ()
    free, limit = _room(found), found.folder.limit()
    present = None if overlay.source is None else overlay.source.size
    notes: tuple[str, ...] = ()
    if wish is None and present is not None and needs.least <= present <= free:
        size = present
    else:
        most = most_useful(found.image, to)
        wishes = Wishes(overlay=wish or AUTO, overlay_most=most)
        shares = share_out(free, wishes, largest_file=limit)
        assert shares.overlay is not None
        size, notes = shares.overlay, shares.notes
    if to is PersistenceKind.IMAGE:
        return size // _BLOCK * _BLOCK, notes
    size, more = store_size(size)
    return size, (*notes, *more)


def require_room(found: Installation, to: PersistenceKind, size: int | None, needs: Needs) -> None:
    """On the stick, in the new overlay, and for the work in ``$TMPDIR``.

    :raises NoSpaceError: there is too little; says how much is needed, and where.
    """
    free = _room(found)
    if needs.least > (free if size is None else size):
        place = "the stick" if size is None else "the new overlay"
        has = free if size is None else size
        raise NoSpaceError(
            f"the changes need about {format_size(needs.least)} as {to}, and {place} has"
            f" {format_size(has)} for them ({format_size(free)} are free on the stick, with the old"
            " overlay still there)",
            hint="make the old overlay smaller first (liveos overlay compact, resize), or remove"
            " files in the running system",
        )
    if size is not None and size > free:
        raise NoSpaceError(f"{format_size(size)} are asked for, and {format_size(free)} are free")
    if needs.inodes is not None:
        _require_inodes(found, needs.inodes)
    directory = tempfile.gettempdir()
    space = os.statvfs(directory)
    if needs.scratch > space.f_bavail * space.f_frsize:
        raise NoSpaceError(
            f"{directory} has {format_size(space.f_bavail * space.f_frsize)} free, and about"
            f" {format_size(needs.scratch)} are needed there while the overlay is converted",
            hint="set TMPDIR to a directory with more room",
        )


def _room(found: Installation) -> int:
    """Bytes on the stick, with those of what an interrupted run has left, which goes first."""
    free, tree = found.folder.free(), found.volume.tree
    for name in leftovers(found.names, found.overlay_place):
        node = tree.lookup(f"/{found.installed.directory}/{name}")
        if node is not None:
            is_file = node.kind is FileKind.FILE
            free += node.size if is_file else contents(tree, node).size
    return free


def _require_inodes(found: Installation, inodes: int) -> None:
    tree = found.volume.tree
    free = tree.superblock.free_inodes if isinstance(tree, Ext4) else inodes
    if inodes > free:
        raise NoSpaceError(
            f"the overlay has {inodes} files and directories, and the stick's filesystem can take"
            f" {free} more",
            hint="choose --to image",
        )
