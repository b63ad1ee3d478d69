# SPDX-License-Identifier: Apache-2.0
"""How much room changes need in an overlay of another kind, told before anything is written."""

from collections.abc import Iterable
from dataclasses import dataclass

from liveos.errors import UnsupportedError
from liveos.formats.binary import FormatError
from liveos.formats.exception_store import LIVEOS_CHUNK_SECTORS, Geometry
from liveos.formats.ext4.reader import Ext4
from liveos.host.folders.tree_items import TreeItem
from liveos.host.volumes import BLOCK, ext4_size
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.changes.report import layers_of
from liveos.medium.overlay.locate import OpenOverlay
from liveos.operations.overlay.upper.applying import changes_of_root
from liveos.operations.overlay.upper.changed_root import require_changeable_root
from liveos.operations.overlay.upper.source import upper_of

_PER_BLOCK = 16  # inodes of 256 bytes
_ALWAYS = 64  # superblock, descriptors, bitmaps and the like, in blocks
_BYTES_PER_INODE = 16384  # of filesystems that `Ext4Volume.make` makes
_SCRATCH = 64 << 20  # a filesystem's own structures, as long as it is worked on


@dataclass(frozen=True, slots=True)
class Needs:
    """``least`` is the smallest overlay, in bytes, and ``scratch`` the room in ``$TMPDIR``.

    ``inodes`` are what a filesystem must have for them; None where it is part of the overlay.
    """

    files: int
    stored: int
    least: int
    scratch: int
    inodes: int | None = None


def needs_of(overlay: OpenOverlay, to: PersistenceKind) -> Needs:
    """Estimates for a conversion; the contents of files are not read.

    :raises UnsupportedError: the overlay or the root cannot be read, or not be converted.
    """
    try:
        return _store_needs(overlay) if to is PersistenceKind.SNAPSHOT else _needs(overlay, to)
    except FormatError as error:
        raise UnsupportedError(
            f"{overlay.place}: {error}", hint="liveos overlay check says what is wrong"
        ) from error


def _needs(overlay: OpenOverlay, to: PersistenceKind) -> Needs:
    items = upper_of(overlay, "/")
    stored, inodes = _stored(items), len({item.key for item in items})
    if to is PersistenceKind.DIRECTORY:
        return Needs(len(items), stored, stored + _ALWAYS * BLOCK, 0, inodes + 1)
    least = max(ext4_size(stored), (inodes + _ALWAYS) * _BYTES_PER_INODE)
    return Needs(len(items), stored, least, stored + _SCRATCH)


def _store_needs(overlay: OpenOverlay) -> Needs:
    """A store has whole chunks: of data, of directories, of inodes, and of bitmaps."""
    origin = overlay.need_origin_bytes()
    require_changeable_root(origin)
    changes = changes_of_root(layers_of(overlay))
    stored, count = _stored(changes.items), len(changes.items) + len(changes.removed)
    groups = Ext4(origin).superblock.groups
    chunks = stored // BLOCK + count // _PER_BLOCK + 2 * groups + _ALWAYS
    geometry = Geometry(LIVEOS_CHUNK_SECTORS)
    least = geometry.off_boundary(geometry.chunks_for(chunks)) * geometry.chunk_size
    return Needs(count, stored, least, stored + _SCRATCH)


def _stored(items: Iterable[TreeItem]) -> int:
    """Bytes of the blocks of these nodes, each file once."""
    return sum(
        BLOCK * sum(-(-stop // BLOCK) - start // BLOCK for start, stop in item.ranges)
        + BLOCK * item.is_directory
        for item in {item.key: item for item in items}.values()
    )
