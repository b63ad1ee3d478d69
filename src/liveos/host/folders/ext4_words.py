# SPDX-License-Identifier: Apache-2.0
"""What debugfs is told to make, dress and fill files of an ext4.

Inodes are named by their numbers where that is possible: ``<13>``. Names go into the directory
that ``cd`` has chosen, because ``mknod`` knows no other.
"""

import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence

from liveos.errors import RefusedError
from liveos.formats.tree import Attributes
from liveos.host.ext4 import BlockRun
from liveos.host.folders.tree_items import TreeItem

LONGEST_WORD = 1500
"""Bytes of a value that fit into a line of debugfs (8 KiB) with each of them as an escape."""

_SECOND = 1_000_000_000
_WORD = 0xFFFF_FFFF
_OLD_DEVICE = 255  # major and minor numbers up to it fit into 16 bits


def quoted(text: str) -> str:
    """A word of debugfs, whose quotes are doubled within quotes.

    :raises RefusedError: it has a line feed, which ends a command whatever one does.
    """
    if "\n" in text:
        raise RefusedError(
            f"{text!r} has a line feed in it, which debugfs cannot be told",
            hint="rename the file in the running system, or remove it there",
        )
    return '"' + text.replace('"', '""') + '"'


def creation(item: TreeItem, name: str) -> str:
    """The command that makes a node of the right kind, in the directory that is chosen.

    A socket begins its life as a pipe, which `socket_name` corrects.
    """
    mode, word = item.attributes.mode, quoted(name)
    if stat.S_ISDIR(mode):
        return f"mkdir {word}"
    if stat.S_ISREG(mode):
        return f"write /dev/null {word}"
    if stat.S_ISLNK(mode):
        return f"symlink {word} {quoted(item.target)}"
    if item.attributes.device is not None:
        major, minor = (min(number, _OLD_DEVICE) for number in item.attributes.device)
        return f"mknod {word} {'b' if stat.S_ISBLK(mode) else 'c'} {major} {minor}"
    return f"mknod {word} p"


def body(item: TreeItem, number: int, names: int, values: Mapping[bytes, str]) -> Iterator[str]:
    """Commands for everything that an inode has beside blocks; ``names`` is how many lead to it.

    ``values`` are files with the values of attributes that are too long for a line.
    """
    found, inode = item.attributes, f"<{number}>"
    seconds, nanoseconds = divmod(found.mtime_ns, _SECOND)
    epoch = (seconds + (1 << 31) >> 32) & 3  # bits of seconds that the old field has not
    yield field(inode, "mode", f"0{found.mode:o}")
    yield field(inode, "uid", found.uid)
    yield field(inode, "gid", found.gid)
    yield field(inode, "mtime", f"@{seconds & _WORD}")
    yield field(inode, "mtime_extra", nanoseconds << 2 | epoch)
    if names > 1:
        yield field(inode, "links_count", names)
    if found.device is not None and max(found.device) > _OLD_DEVICE:
        major, minor = found.device
        yield field(inode, "block[0]", 0)
        yield field(inode, "block[1]", minor & 0xFF | major << 8 | (minor & ~0xFF) << 12)
    if not item.changes:
        yield from attributes(inode, found.xattrs, values)


def blocks(
    number: int, size: int, ranges: Iterable[tuple[int, int]], block_size: int, *, cut: bool
) -> Iterator[str]:
    """Commands that give a file its size, and blocks to these ranges of its bytes.

    ``cut`` takes away what it has behind its new end. What it has then is printed.
    """
    inode = f"<{number}>"
    if cut:
        yield f"punch {inode} {-(-size // block_size)}"
    for start, stop in ranges:
        yield f"fallocate {inode} {start // block_size} {-(-stop // block_size) - 1}"
    yield field(inode, "size", size)
    yield f"dump_extents {inode}"


def attributes(inode: str, xattrs: Mapping[str, bytes], values: Mapping[bytes, str]) -> list[str]:
    """Commands that set extended attributes."""
    lines = []
    for name, value in xattrs.items():
        if value in values:
            lines.append(f"ea_set -f {quoted(values[value])} {inode} {quoted(name)}")
        else:
            escaped = "".join(f"\\{byte:03o}" for byte in value)
            lines.append(f'ea_set {inode} {quoted(name)} "{escaped}"')
    return lines


def changed_attributes(
    number: int, before: Attributes, after: Attributes, values: Mapping[bytes, str]
) -> Iterator[str]:
    """Commands that make the extended attributes of a node others."""
    inode = f"<{number}>"
    for name in before.xattrs:
        if name not in after.xattrs:
            yield f"ea_rm {inode} {quoted(name)}"
    new = {name: value for name, value in after.xattrs.items() if before.xattrs.get(name) != value}
    yield from attributes(inode, new, values)


def further_name(number: int, name: str) -> str:
    """A name more for an inode, in the directory that is chosen; its count of names stays."""
    return f"ln <{number}> {quoted(name)}"


def socket_name(number: int, name: str) -> list[str]:
    """The name of a socket anew: names tell the kind that the inode had when they were made."""
    return [f"unlink {quoted(name)}", further_name(number, name)]


def marking(number: int, runs: Sequence[BlockRun]) -> list[str]:
    """Commands by which what lies in these runs becomes what the file reads."""
    if not runs:
        return []
    lines = [f"extent_open <{number}>"]
    for run in runs:
        lines.append(f"goto_block {run.logical}")
        lines.append(f"replace_node {run.logical} {run.length} {run.physical}")
    return [*lines, "extent_close"]


def field(inode: str, name: str, value: str | int) -> str:
    """Sets a field of an inode; nothing that follows from it is changed with it."""
    return f"set_inode_field {inode} {name} {value}"
