# SPDX-License-Identifier: Apache-2.0
"""Directories of an unmounted ext4: made, exchanged, and removed with everything in them.

Each change is a transaction of the filesystem's own journal. A tree that is too large for one goes
in several, so that a power cut leaves a part of it, in a filesystem where nothing is wrong.
"""

import posixpath
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from liveos.errors import RefusedError, UnsupportedError
from liveos.formats.binary import FileSource, FormatError, Window
from liveos.formats.ext4.attributes import xattr_block
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.records import Inode
from liveos.formats.ext4.replay import recover
from liveos.formats.ext4.superblock import Incompat, RoCompat
from liveos.formats.ext4.xattrs import block_owners, with_owners
from liveos.formats.tree import FileKind, Node
from liveos.host.folders.ext4_editor import Ext4Editor
from liveos.host.folders.ext4_scratch import Change
from liveos.host.folders.ext4_window import window
from liveos.host.folders.folder import already_there
from liveos.host.folders.unmounted import directories, find, regular_file
from liveos.host.volumes import Ext4Volume

# Each may lie in another block of the inode tables, and the least log has room for a thousand.
_MOST_AT_ONCE = 512
_OTHER_PLACES = (*range(1, 12), "IND", "DIND", "TIND")  # of block numbers in an inode
_LEAST_SLOW_LINK = 60  # a shorter target lies in their place
_DEEPEST = 4096  # PATH_MAX allows for half of that


def make_directory(volume: Ext4Volume, directory: str, name: str, selinux: str | None) -> None:
    """An empty directory of root's with mode 0755 and a label for SELinux.

    :raises RefusedError: something has the name.
    """
    with _editor(volume, directory) as editor:
        if find(editor.fs, directory, name) is not None:
            raise already_there(posixpath.join(directory, name))
        path = editor.path(name)
        lines = [f"mkdir {path}"]
        if selinux is not None:
            # The kernel stores contexts with their final NUL.
            lines.append(f"ea_set {path} security.selinux {selinux}\\000")
        editor.apply(Change(lines))


def exchange(volume: Ext4Volume, directory: str, pairs: Sequence[tuple[str, str]]) -> None:
    """The directories of each pair get each other's name; all of them at once."""
    with _editor(volume, directory) as editor:
        lines: list[str] = []
        nodes: list[Node] = []
        for pair in pairs:
            one, other = (_directory(editor.fs, directory, name) for name in pair)
            first, second = (editor.path(name) for name in pair)
            # unlink and ln leave the count of links alone.
            lines += (f"unlink {first}", f"unlink {second}")
            lines += (f"ln <{one.number}> {second}", f"ln <{other.number}> {first}")
            nodes += (one, other)
        editor.apply(Change(lines, nodes))


def rename(volume: Ext4Volume, directory: str, moves: Sequence[tuple[str, str]]) -> None:
    """Directories get names that nothing has; all of them at once."""
    with _editor(volume, directory) as editor:
        lines: list[str] = []
        nodes: list[Node] = []
        for old, new in moves:
            node = _directory(editor.fs, directory, old)
            if find(editor.fs, directory, new) is not None:
                raise already_there(posixpath.join(directory, new))
            lines += (f"unlink {editor.path(old)}", f"ln <{node.number}> {editor.path(new)}")
            nodes.append(node)
        editor.apply(Change(lines, nodes))


def move_with_link(volume: Ext4Volume, directory: str, old: str, new: str) -> None:
    """A directory gets a name that nothing has, and its old one becomes a link to it; at once."""
    with _editor(volume, directory) as editor:
        node = _directory(editor.fs, directory, old)
        if find(editor.fs, directory, new) is not None:
            raise already_there(posixpath.join(directory, new))
        paths = editor.path(old), editor.path(new)
        lines = [
            f"unlink {paths[0]}",
            f"ln <{node.number}> {paths[1]}",
            f"symlink {paths[0]} {_quoted(new)}",
        ]
        editor.apply(Change(lines, (node,)))


def remove_link(volume: Ext4Volume, directory: str, name: str) -> None:
    """Remove a symbolic link, if it is there."""
    with _editor(volume, directory) as editor:
        node = find(editor.fs, directory, name)
        if node is None:
            return
        if node.kind is not FileKind.SYMLINK:
            raise RefusedError(f"{posixpath.join(directory, name)} is no symbolic link")
        editor.apply(Change([f"rm {editor.path(name)}"], (node,)))


def remove_tree(volume: Ext4Volume, directory: str, name: str) -> None:
    """Remove a directory with everything below it; durable on return.

    :raises UnsupportedError: it holds something that cannot be removed from outside.
    """
    with _editor(volume, directory) as editor:
        try:
            while True:
                fs = editor.fs
                top = find(fs, directory, name)
                if top is None:
                    return
                _require_directory(top)
                editor.apply(_next_removal(fs, top))
        except FormatError as error:
            raise UnsupportedError(
                f"{posixpath.join(directory, name)} cannot be removed: {error}",
                hint=f"check the filesystem first: e2fsck -f '{volume}'",
            ) from error


def keep_private(volume: Ext4Volume, directory: str, name: str) -> None:
    """Let nobody but its owner read a file."""
    with _editor(volume, directory) as editor:
        node = regular_file(editor.fs, directory, name)
        editor.apply(Change([f"set_inode_field {editor.path(name)} mode 0100600"], (node,)))


def directory_names(volume: Ext4Volume, directory: str) -> tuple[str, ...]:
    """The names of the directories in one, sorted; nothing is written."""
    with FileSource(volume.path) as source:
        fs = Ext4(recover(Window(source, volume.offset, volume.size)))
        children = _children(fs, directories(fs, directory)[-1])
        return tuple(sorted(each.name for each in children if each.kind is FileKind.DIRECTORY))


@dataclass(frozen=True, slots=True)
class _Part:
    """What is removed at once: ``unlinked`` from ``parent``, and ``nodes``, with those below."""

    parent: Node
    unlinked: tuple[Node, ...]
    nodes: tuple[Node, ...]


@contextmanager
def _editor(volume: Ext4Volume, directory: str) -> Iterator[Ext4Editor]:
    with window(volume) as found:
        yield Ext4Editor(found, volume, directory)


def _directory(fs: Ext4, directory: str, name: str) -> Node:
    node = find(fs, directory, name)
    if node is None:
        raise FileNotFoundError(posixpath.join(directory, name))
    _require_directory(node)
    return node


def _require_directory(node: Node) -> None:
    if node.kind is not FileKind.DIRECTORY:
        raise RefusedError(f"{node.path} is not a directory", hint="look what it is")


def _next_removal(fs: Ext4, top: Node) -> Change:
    part = _next_part(fs, top)
    left = _links_left(part)
    freed = [node for node, links in left.items() if not links]
    kept = _shared_xattrs(fs, freed)
    lines = [
        *_unlinking(part),
        *(f"set_inode_field <{node.number}> links_count {links}" for node, links in left.items()),
        *_freeing(fs, freed, kept),
    ]
    return Change(lines, (*directories(fs, part.parent.path), *part.nodes), also=kept)


def _next_part(fs: Ext4, top: Node) -> _Part:
    """The first subtree that is small enough; or, of a directory without any, its first files."""
    parent, node = directories(fs, posixpath.dirname(top.path))[-1], top
    for _ in range(_DEEPEST):
        nodes = _first_below(fs, node, _MOST_AT_ONCE)
        if len(nodes) < _MOST_AT_ONCE:
            return _Part(parent, (node,), (node, *nodes))
        inner = _first_subdirectory(fs, node)
        if inner is None:
            return _Part(node, nodes, nodes)
        parent, node = node, inner
    raise FormatError(f"{top.path}: its directories are more than {_DEEPEST} deep")


def _first_below(fs: Ext4, top: Node, most: int) -> tuple[Node, ...]:
    """The nodes below a directory, as far as they are no more than ``most``."""
    found: list[Node] = []
    waiting, seen = [top], {top.number}
    while waiting:
        directory = waiting.pop()
        for node in _children(fs, directory):
            if len(found) == most:
                return tuple(found)
            found.append(node)
            if node.kind is FileKind.DIRECTORY:
                if node.number in seen:
                    raise FormatError(f"{node.path}: this directory has two places")
                seen.add(node.number)
                waiting.append(node)
    return tuple(found)


def _first_subdirectory(fs: Ext4, directory: Node) -> Node | None:
    children = _children(fs, directory)
    return next((node for node in children if node.kind is FileKind.DIRECTORY), None)


def _children(fs: Ext4, directory: Node) -> Iterator[Node]:
    for name, reference in fs.scan(directory):
        yield fs.load(posixpath.join(directory.path, name), reference)


def _unlinking(part: _Part) -> Iterator[str]:
    """Commands for debugfs. Below what is unlinked, names do not matter: their directories go."""
    for node in part.unlinked:
        yield f"unlink {_quoted(node.path)}"
    lost = sum(node.kind is FileKind.DIRECTORY for node in part.unlinked)
    links = _inode(part.parent).links
    if lost and links > 1:  # 1 means too many to be counted (the feature dir_nlink)
        yield f"set_inode_field <{part.parent.number}> links_count {links - lost}"


def _links_left(part: _Part) -> dict[Node, int]:
    """How many names each inode of the part will have then."""
    names = Counter(node.number for node in part.nodes)
    nodes = {node.number: node for node in part.nodes}.values()
    return {
        node: 0
        if node.kind is FileKind.DIRECTORY
        else max(0, _inode(node).links - names[node.number])
        for node in nodes
    }


def _shared_xattrs(fs: Ext4, freed: Iterable[Node]) -> dict[int, bytes]:
    """Blocks of extended attributes that inodes which stay have, too, with their new bytes."""
    superblock = fs.superblock
    checked = superblock.ro_compat & RoCompat.metadata_csum
    seed = superblock.checksum_seed if checked else None
    kept = {}
    for number, count in Counter(_xattr_block(fs, node) for node in freed).items():
        owners = block_owners(fs.block(number)) - count if number else 0
        if owners > 0:
            kept[number] = with_owners(fs.block(number), owners, number, seed)
    return kept


def _freeing(fs: Ext4, freed: Iterable[Node], kept: Container[int]) -> Iterator[str]:
    """Commands that give inodes back with their blocks.

    debugfs forgets blocks of extended attributes. So an inode that has one, which nobody else
    has, is first made to have it as the only block of its content.
    """
    given = set()
    for node in freed:
        block = _xattr_block(fs, node)
        if block and block not in kept and block not in given:
            given.add(block)
            yield from _with_content(node, block)
        yield f"kill_file <{node.number}>"


def _with_content(node: Node, block: int) -> Iterator[str]:
    inode = f"<{node.number}>"
    if node.kind in {FileKind.FILE, FileKind.DIRECTORY} or node.size >= _LEAST_SLOW_LINK:
        yield f"punch {inode} 0"
    if node.kind is not FileKind.DIRECTORY:  # those are counted
        yield f"set_inode_field {inode} mode 0100644"
    fields = {"flags": 0, "block[0]": block} | {f"block[{place}]": 0 for place in _OTHER_PLACES}
    for name, value in fields.items():
        yield f"set_inode_field {inode} {name} {value}"


def _xattr_block(fs: Ext4, node: Node) -> int:
    return xattr_block(_inode(node), wide=bool(fs.superblock.incompat & Incompat.wide))


def _quoted(name: str) -> str:
    """A name in the words of debugfs, whose quotes are doubled within quotes."""
    if "\n" in name:
        raise UnsupportedError(
            f"{name!r} has a line feed in its name, and cannot be removed from outside",
            hint="mount the filesystem, and remove it there",
        )
    return '"' + name.replace('"', '""') + '"'


def _inode(node: Node) -> Inode:
    inode: Inode = node.handle
    return inode
