# SPDX-License-Identifier: Apache-2.0
"""One directory of an unmounted ext4 while it is changed: look-ups, and transactions."""

import posixpath
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from liveos.errors import RefusedError, ToolFailedError, UnsupportedError
from liveos.formats.ext4.groups import free_map
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.records import Inode, InodeFlag
from liveos.formats.tree import Node
from liveos.host import ext4
from liveos.host.ext4 import BlockRun
from liveos.host.folders.ext4_extents import require_blocks
from liveos.host.folders.ext4_file import Ext4File
from liveos.host.folders.ext4_scratch import Change, apply
from liveos.host.folders.ext4_window import require_changeable
from liveos.host.folders.folder import StoredFile, checked_name, require_room
from liveos.host.folders.unmounted import directories, regular_file
from liveos.host.volumes import Ext4Volume

_DIRECTORY_FULL = "No free space in the directory"  # EXT2_ET_DIR_NO_SPACE of libext2fs


class Ext4Editor:
    """``directory`` of the filesystem in ``window``, which needs no recovery.

    Every question is answered from the disk, because every change makes the answers old.
    """

    def __init__(self, window: StoredFile, volume: Ext4Volume, directory: str) -> None:
        self._window = window
        self._volume = volume
        self._directory = directory

    @property
    def fs(self) -> Ext4:
        """A reader that has not read anything yet."""
        return Ext4(self._window)

    def path(self, name: str) -> str:
        """A path in the words of debugfs, whose quotes are doubled within quotes."""
        path = posixpath.join(self._directory, checked_name(name))
        if "\n" in path:
            raise RefusedError(f"{path!r} has a line feed in its name")
        return '"' + path.replace('"', '""') + '"'

    def apply(self, change: Change) -> str:
        """Make a change as one transaction; what debugfs has printed."""
        fs = self.fs
        require_changeable(fs, self._volume)
        chain = directories(fs, self._directory)
        try:
            return apply(change, self._window, chain)
        except ToolFailedError as error:
            if _DIRECTORY_FULL not in error.message:
                raise
            more = [f"expand_dir <{chain[-1].number}>", *change.lines]
            return apply(replace(change, lines=more), self._window, chain)

    def create(self, name: str, size: int) -> Node:
        """A file of root's whose blocks are allocated and read as zeros."""
        fs = self.fs
        require_changeable(fs, self._volume)
        require_room(size, free_bytes(fs), self._volume)
        path = self.path(name)
        blocks = -(-size // fs.superblock.block_size)
        lines = [*ext4.allocation(path, size, blocks), f"dump_extents {path}"]
        self.apply(Change(lines, judge=_require_blocks(0, blocks)))
        return regular_file(self.fs, self._directory, name)

    @contextmanager
    def in_place(self, node: Node) -> Iterator[StoredFile]:
        """A file's bytes, written to its blocks; durable when the body ends without an error."""

        def change(lines: Sequence[str], judge: Callable[[str], None] | None) -> str:
            return self.apply(Change(lines, (node,), judge=judge))

        block_size = self.fs.superblock.block_size
        file = Ext4File(self._window, node.number, node.size, block_size, change)
        file.place(self._runs(node))
        yield file
        file.flush()

    def resize(self, node: Node, size: int) -> None:
        """Allocate or free blocks at a file's end; what is added reads as zeros."""
        _require_extents(node)
        fs = self.fs
        require_changeable(fs, self._volume)
        block_size = fs.superblock.block_size
        require_room(size - node.size, free_bytes(fs), self._volume)
        inode = f"<{node.number}>"
        first, stop = -(-node.size // block_size), -(-size // block_size)
        if stop > first:
            lines = [f"fallocate {inode} {first} {stop - 1}"]
        else:
            lines = [f"punch {inode} {stop}"]
        lines += [f"set_inode_field {inode} size {size}", f"dump_extents {inode}"]
        cleared = self._cleared_tail(node, min(node.size, size), block_size)
        judge = _require_blocks(first, max(first, stop))
        self.apply(Change(lines, (node,), also=cleared, judge=judge))

    def _runs(self, node: Node) -> tuple[BlockRun, ...]:
        """Where a file's blocks lie, unwritten extents among them, which our reader shows not."""
        _require_extents(node)
        return ext4.block_runs(self._volume, f"<{node.number}>")

    def _cleared_tail(self, node: Node, end: int, block_size: int) -> dict[int, bytes]:
        """The block in which a file ends at ``end``, with zeros behind, as the kernel leaves it."""
        logical, used = divmod(end, block_size)
        for run in self._runs(node):
            if used and run.written and run.logical <= logical < run.logical + run.length:
                block = run.physical + logical - run.logical
                kept = self._window.read_at(block * block_size, used)
                return {block: kept.ljust(block_size, b"\0")}
        return {}


def free_bytes(fs: Ext4) -> int:
    """Bytes of the blocks that nothing uses; extent trees will take some of them."""
    return int(free_map(fs).sum()) * fs.superblock.block_size


def _require_extents(node: Node) -> None:
    inode: Inode = node.handle
    strange = inode.flags & (InodeFlag.INLINE_DATA | InodeFlag.ENCRYPTED)
    if strange or not inode.flags & InodeFlag.EXTENTS:
        raise UnsupportedError(
            f"{node.path} does not lie in extents, and cannot be changed from outside",
            hint="mount the filesystem, and name the file there",
        )


def _require_blocks(first: int, stop: int) -> Callable[[str], None]:
    return lambda said: require_blocks(ext4.parse_extents(said), first, stop)
