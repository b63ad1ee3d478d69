# SPDX-License-Identifier: Apache-2.0
"""What an overlay of any kind is as an upper directory."""

from liveos.errors import RefusedError
from liveos.formats.binary import FormatError
from liveos.host.folders.tree_items import TreeItem
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.changes.layers import layered
from liveos.medium.overlay.changes.report import layers_of
from liveos.medium.overlay.changes.snapshot_upper import snapshot_upper
from liveos.medium.overlay.locate import OpenOverlay
from liveos.operations.overlay.upper.items import copied_items, upper_items


def upper_of(overlay: OpenOverlay, top: str) -> list[TreeItem]:
    """The upper directory ``top``, itself the first of the items, that shows what ``overlay`` does.

    One that is a directory already is copied with all its marks: they say the same there.

    :raises UnsupportedError: it is damaged, or holds what no upper directory can.
    :raises RefusedError: it must be repaired first.
    """
    if overlay.kind is PersistenceKind.SNAPSHOT:
        found = snapshot_upper(overlay)
        if not found.tree.superblock.is_clean:
            raise RefusedError(
                f"the filesystem that {overlay.place} shows is marked as having errors",
                hint="let e2fsck correct it first: liveos overlay repair",
            )
        return upper_items(found, top)
    tree = layers_of(overlay)
    upper = layered(tree.root).upper
    if upper is None:
        raise FormatError("there is no upper directory")
    return copied_items(tree.upper_tree, upper, top)
