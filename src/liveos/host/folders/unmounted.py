# SPDX-License-Identifier: Apache-2.0
"""What folders inside unmounted filesystems have in common: look-ups, and who may change them."""

import os
import posixpath
from contextlib import AbstractContextManager
from errno import ENOENT
from pathlib import Path

from liveos.errors import RefusedError
from liveos.formats.tree import FileKind, FileTree, Node
from liveos.host.folders.folder import checked_name
from liveos.host.hold import hold


def directories(tree: FileTree, path: str) -> tuple[Node, ...]:
    """The directories from the root to ``path``; symbolic links are not followed."""
    names = [part for part in path.split("/") if part]
    paths = ["/".join(names[:depth]) for depth in range(len(names) + 1)]
    nodes = [tree.lookup(part) for part in paths]
    found = tuple(node for node in nodes if node is not None and node.kind is FileKind.DIRECTORY)
    if len(found) < len(paths):
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), path)
    return found


def find(tree: FileTree, directory: str, name: str) -> Node | None:
    """What has this name, of whatever kind."""
    directories(tree, directory)
    return tree.lookup(posixpath.join(directory, checked_name(name)))


def regular_file(tree: FileTree, directory: str, name: str) -> Node:
    """The file of this name; refused when it is something else."""
    node = find(tree, directory, name)
    if node is None:
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), posixpath.join(directory, name))
    if node.kind is not FileKind.FILE:
        raise RefusedError(f"{node.path} is not a regular file", hint="name the file itself")
    return node


def file_names(tree: FileTree, directory: str) -> tuple[str, ...]:
    """The names of the regular files in a directory, sorted."""
    return _names(tree, directory, FileKind.FILE)


def directory_names(tree: FileTree, directory: str) -> tuple[str, ...]:
    """The names of the directories in a directory, sorted."""
    return _names(tree, directory, FileKind.DIRECTORY)


def _names(tree: FileTree, directory: str, kind: FileKind) -> tuple[str, ...]:
    place = directories(tree, directory)[-1]
    nodes = {name: tree.load(name, reference) for name, reference in tree.scan(place)}
    return tuple(sorted(name for name, node in nodes.items() if node.kind is kind))


def hold_all(container: Path, name: str) -> AbstractContextManager[None]:
    """Exclusive use of the file or device that holds the whole filesystem, for one of its files."""
    checked_name(name)
    return hold(container)
