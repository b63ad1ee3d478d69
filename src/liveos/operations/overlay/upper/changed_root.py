# SPDX-License-Identifier: Apache-2.0
"""A root with the changes of an OverlayFS put into it, as blocks: what a snapshot would hold.

Nothing is unpacked but what debugfs looks at: the blocks of the root that it needs and those that
are new lie in a sparse file in ``$TMPDIR``; everything else is the root's.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liveos.errors import ProblemsFoundError, UnsupportedError
from liveos.formats.binary import ByteSource, FileSource
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.replay import recover
from liveos.formats.ext4.superblock import Incompat
from liveos.host.folders.ext4_draft import Draft
from liveos.host.folders.ext4_removal import remove_trees
from liveos.host.folders.ext4_tree_writer import write_tree
from liveos.host.folders.ext4_window import require_known_features
from liveos.medium.overlay.changes.layers import OverlayTree
from liveos.medium.overlay.filesystem_check import Corrections, check_filesystem
from liveos.operations.overlay.upper.applying import changes_of_root
from liveos.report import Reporter, Severity

Blocks = NDArray[np.int64]
_NO_BLOCKS = np.empty(0, np.int64)


class ChangedRoot:
    """The bytes of a root: ``draft`` has the blocks ``changed``, ``original`` the rest.

    ``replayed`` are blocks of ``original`` that its journal has changed.
    """

    def __init__(
        self,
        original: ByteSource,
        draft: ByteSource,
        changed: Blocks,
        block_size: int,
        replayed: Blocks = _NO_BLOCKS,
    ) -> None:
        self._original = original
        self._draft = draft
        self.changed = changed
        self.block_size = block_size
        self.suspects = np.union1d(changed, replayed)
        """Blocks that may differ from the root as it is packed."""

    @property
    def size(self) -> int:
        return self._original.size

    def read_at(self, offset: int, length: int) -> bytes:
        return b"".join(self._parts(offset, offset + length))

    def _parts(self, position: int, end: int) -> Iterator[bytes]:
        size = self.block_size
        first, last = self.changed.searchsorted((position // size, -(-end // size)))
        for block in self.changed[first:last].tolist():
            start, stop = max(block * size, position), min(block * size + size, end)
            if position < start:
                yield self._original.read_at(position, start - position)
            yield self._draft.read_at(start, stop - start)
            position = stop
        if position < end:
            yield self._original.read_at(position, end - position)


def require_changeable_root(origin: ByteSource) -> None:
    """:raises UnsupportedError: files cannot be put into a root like this."""
    fs = Ext4(recover(origin))
    require_known_features(fs, "the root")
    if not fs.superblock.incompat & Incompat.extent:
        raise UnsupportedError(
            f"the root is {fs.superblock.filesystem}, whose files are not kept in extents",
            hint="keep the overlay that there is",
        )


@contextmanager
def changed_root(
    tree: OverlayTree, origin: ByteSource, reporter: Reporter
) -> Iterator[ChangedRoot]:
    """The root ``origin``, which ``tree`` has below, with all that the upper directory changes.

    :raises NoSpaceError: the files do not fit into the root's filesystem.
    :raises ProblemsFoundError: e2fsck finds something wrong in the result.
    """
    require_changeable_root(origin)
    recovered = recover(origin)
    changes = changes_of_root(tree)
    total = sum(item.stored for item in changes.items)
    with tempfile.TemporaryDirectory(prefix="liveos-") as directory:
        path = Path(directory, "root.img")
        path.touch(0o600)
        draft = Draft.of(Ext4(recovered), path)
        remove_trees(draft, changes.removed)
        write_tree(draft, draft, changes.items, lambda done: reporter.progress(done, total))
        with FileSource(path) as source:
            size, replayed = draft.original.superblock.block_size, recovered.changed_blocks
            root = ChangedRoot(recovered, source, draft.changed(), size, replayed)
            corrections = _corrections(root, reporter)
            for block, content in corrections.items():
                draft.write_at(block * size, content)
            if corrections:
                root = ChangedRoot(recovered, source, draft.changed(), size, replayed)
            yield root


def _corrections(root: ByteSource, reporter: Reporter) -> Mapping[int, bytes]:
    """What e2fsck corrects without asking: debugfs forgets blocks now and then."""
    check = check_filesystem(root, reporter, Corrections.SAFE)
    for finding in check.findings:
        if finding.severity is Severity.FATAL:
            raise ProblemsFoundError(
                f"with the changes in it, {finding.message}",
                hint="nothing has been changed; the root itself may be damaged: liveos inspect",
            )
    return check.corrections
