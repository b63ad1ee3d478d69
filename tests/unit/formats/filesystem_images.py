# SPDX-License-Identifier: Apache-2.0
"""The recorded images of one small tree, and what a reader must find in each."""

import tarfile
from functools import cache

from liveos.formats.binary import ByteSource, MemorySource
from liveos.formats.erofs.reader import EroFs
from liveos.formats.ext4.reader import Ext4
from liveos.formats.squashfs.reader import SquashFs
from liveos.formats.tree import FileTree
from tests.data.make_filesystem_fixtures import COMMANDS, FILES, FIXTURES, LINKS

READERS: dict[str, type[SquashFs | EroFs | Ext4]] = {
    "squashfs": SquashFs,
    "erofs": EroFs,
    "ext4": Ext4,
}
NAMES = tuple(COMMANDS)


@cache
def images() -> dict[str, bytes]:
    with tarfile.open(FIXTURES) as tar:
        found = {}
        for member in tar:
            file = tar.extractfile(member)
            assert file
            found[member.name] = file.read()
        return found


def open_tree(name: str, source: ByteSource | None = None) -> FileTree:
    """The reader for an image, over its bytes or over other ones."""
    return READERS[name.rpartition(".")[2]](source or MemorySource(images()[name]))


def assert_is_the_tree(tree: FileTree) -> None:
    """Every file and link of the recorded tree is there, and nothing else."""
    files, links = {}, {}
    for node in tree.walk():
        if node.kind == "file":
            files[node.path] = tree.open(node).read_at(0, node.size)
        elif node.kind == "symlink":
            links[node.path] = tree.readlink(node)
    assert files == FILES
    assert links == LINKS
