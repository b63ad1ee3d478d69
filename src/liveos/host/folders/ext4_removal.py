# SPDX-License-Identifier: Apache-2.0
"""Trees of files taken out of a draft of an ext4."""

import posixpath
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from liveos.formats.ext4.attributes import xattr_block
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.superblock import Incompat, RoCompat
from liveos.formats.ext4.xattrs import block_owners, with_owners
from liveos.formats.tree import FileKind, Node
from liveos.host.folders.ext4_draft import Draft
from liveos.host.folders.ext4_words import field, quoted


def remove_trees(draft: Draft, paths: Sequence[str]) -> None:
    """Remove what is at these paths, and below; no path lies in another.

    Files that have names elsewhere keep them. Names below do not matter: their directories go.
    Blocks of attributes that nobody has any more stay marked as used: e2fsck must be run.
    """
    fs = draft.original
    doomed = _Doomed(fs)
    fewer: dict[str, int] = defaultdict(int)  # directories in a directory
    lines: list[str] = []
    for path in paths:
        top = fs.lookup(path)
        if top is None:
            continue
        parent, name = posixpath.split(path)
        lines += (f"cd {quoted(parent)}", f"unlink {quoted(name)}")
        fewer[parent] += stat.S_ISDIR(top.mode)
        doomed.add(top)
    lines += _counts(fs, fewer)
    lines += doomed.ends()
    for block, content in doomed.shared():
        draft.write_at(block * fs.superblock.block_size, content)
    draft.run(lines)


def _counts(fs: Ext4, fewer: dict[str, int]) -> Iterator[str]:
    for path, count in fewer.items():
        node = fs.lookup(path)
        assert node is not None
        links = fs.attributes(node).links
        if count and links > 1:  # with 1, they are not counted any more (dir_nlink)
            yield field(f"<{node.number}>", "links_count", links - count)


class _Doomed:
    """Inodes that lose names, some of them all of them."""

    def __init__(self, fs: Ext4) -> None:
        self._fs = fs
        self._names: dict[int, int] = defaultdict(int)
        self._nodes: dict[int, Node] = {}

    def add(self, top: Node) -> None:
        waiting = [top]
        while waiting:
            node = waiting.pop()
            self._names[node.number] += 1
            if node.number not in self._nodes and node.kind is FileKind.DIRECTORY:
                for name, number in self._fs.scan(node):
                    waiting.append(self._fs.load(posixpath.join(node.path, name), number))
            self._nodes[node.number] = node

    def ends(self) -> Iterator[str]:
        """Commands that give inodes back, or take the names that they lost from their counts."""
        for number, names in self._names.items():
            inode = f"<{number}>"
            if self._goes(number):
                yield field(inode, "links_count", 0)
                yield f"kill_file {inode}"
            else:
                links = self._fs.attributes(self._nodes[number]).links
                yield field(inode, "links_count", links - names)

    def shared(self) -> Iterator[tuple[int, bytes]]:
        """Blocks of attributes that others go on having, with their new count."""
        superblock = self._fs.superblock
        has_sums = superblock.ro_compat & RoCompat.metadata_csum
        seed = superblock.checksum_seed if has_sums else None
        for block, count in self._given_up().items():
            content = self._fs.block(block)
            left = block_owners(content) - count
            if left > 0:
                yield block, with_owners(content, left, block, seed)

    def _goes(self, number: int) -> bool:
        node = self._nodes[number]
        is_directory = node.kind is FileKind.DIRECTORY
        return is_directory or self._fs.attributes(node).links <= self._names[number]

    def _given_up(self) -> Counter[int]:
        """Blocks of attributes, with how many of the inodes that go have each."""
        wide = bool(self._fs.superblock.incompat & Incompat.wide)
        going = (node for number, node in self._nodes.items() if self._goes(number))
        blocks = Counter(xattr_block(node.handle, wide=wide) for node in going)
        blocks.pop(0, None)
        return blocks
