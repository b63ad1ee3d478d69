# SPDX-License-Identifier: Apache-2.0
"""The marks that OverlayFS leaves in its upper directory.

Facts from the kernel's ``Documentation/filesystems/overlayfs.rst`` and ``fs/overlayfs/``. Marks
are extended attributes in ``trusted.overlay.``, or ``user.overlay.`` for mounts with ``userxattr``;
attributes of the files themselves that have such a name are escaped.
"""

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from liveos.formats.tree import Attributes, FileKind, FileTree, Node

TRUSTED, USER = "trusted.overlay.", "user.overlay."
_ESCAPED = "overlay."
_LONGEST_REDIRECT = 4096  # PATH_MAX

# An origin is a file handle (``struct ovl_fb``): version, magic, length, flags, type, 16 bytes of
# UUID, then what the lower filesystem knows its inode by.
_HANDLE_MAGIC = 0xFB
_HANDLE_TYPE, _HANDLE_ID = 4, 21
_INODE_32, _INODE_32_AND_PARENT, _INODE_64 = 0x01, 0x02, 0x81  # FILEID_INO32_GEN and its kin


@dataclass(frozen=True, slots=True)
class Marks:
    """What the upper directory says of one of its nodes.

    ``opaque``: nothing of the lower directory shows through. ``has_whiteouts``: empty files in
    this directory with an attribute are whiteouts. ``is_whiteout``: this is the usual one, a
    character device. ``redirect``: the lower path, or the name in the lower parent, that belongs
    to it. ``metacopy``: the content is the lower file's. ``origin``: the inode number of the
    lower file that this was copied from.
    """

    opaque: bool = False
    has_whiteouts: bool = False
    is_whiteout: bool = False
    redirect: str | None = None
    metacopy: bool = False
    origin: int | None = None


NO_MARKS = Marks()


def namespace_of(tree: FileTree, upper: Node) -> str:
    """Where the marks of an upper directory are: ``user.overlay.`` only if nothing else is there.

    A user may set attributes in that namespace; a mount without ``userxattr`` ignores them, and
    leaves marks of its own.
    """
    found = TRUSTED
    for node in _below(tree, upper):
        names = tree.attributes(node).xattrs.keys()
        if any(name.startswith(TRUSTED) for name in names):
            return TRUSTED
        if any(name.startswith(USER) for name in names):
            found = USER
    return found


def _below(tree: FileTree, top: Node) -> Iterator[Node]:
    waiting, seen = [top], {top.number}
    while waiting:
        node = waiting.pop()
        yield node
        for name, reference in tree.scan(node) if node.kind is FileKind.DIRECTORY else ():
            child = tree.load(f"{node.path}/{name}", reference)
            if child.number not in seen:
                seen.add(child.number)
                waiting.append(child)


def marks_of(attributes: Attributes, namespace: str) -> Marks:
    """The marks among a node's attributes."""
    found = {
        name.removeprefix(namespace): value
        for name, value in attributes.xattrs.items()
        if name.startswith(namespace)
    }
    redirect = found.get("redirect")
    return Marks(
        opaque=found.get("opaque") == b"y",
        # Before 6.8 it had a name of its own (6.7: "ovl: Add an alternative type of whiteout").
        has_whiteouts=found.get("opaque") == b"x" or "whiteouts" in found,
        is_whiteout=stat.S_ISCHR(attributes.mode) and attributes.device == (0, 0),
        redirect=None if redirect is None else _path(redirect),
        metacopy="metacopy" in found and stat.S_ISREG(attributes.mode),
        origin=_inode_of(found.get("origin", b"")),
    )


def is_attribute_whiteout(node: Node, attributes: Attributes, namespace: str) -> bool:
    """Whether a node of a directory with `Marks.has_whiteouts` is one."""
    is_empty = node.kind is FileKind.FILE and node.size == 0
    return is_empty and f"{namespace}whiteout" in attributes.xattrs


def own_xattrs(xattrs: Mapping[str, bytes], namespace: str) -> dict[str, bytes]:
    """The attributes that a mounted OverlayFS shows: no marks, and escaped ones by their name."""
    shown = {}
    for name, value in xattrs.items():
        rest = name.removeprefix(namespace)
        if not name.startswith(namespace):
            shown[name] = value
        elif rest.startswith(_ESCAPED):
            shown[namespace + rest.removeprefix(_ESCAPED)] = value
    return shown


def _path(redirect: bytes) -> str | None:
    text = redirect.rstrip(b"\0").decode("utf-8", "surrogateescape")
    return text if 0 < len(text) < _LONGEST_REDIRECT else None


def _inode_of(handle: bytes) -> int | None:
    """The inode number in a file handle; None for handles of other kinds."""
    if len(handle) < _HANDLE_ID + 4 or handle[1] != _HANDLE_MAGIC:
        return None
    low, high = (handle[place : place + 4] for place in (_HANDLE_ID, _HANDLE_ID + 4))
    if handle[_HANDLE_TYPE] in {_INODE_32, _INODE_32_AND_PARENT}:
        return int.from_bytes(low, "little")
    if handle[_HANDLE_TYPE] == _INODE_64:  # EROFS: the upper half comes first
        return int.from_bytes(low, "little") << 32 | int.from_bytes(high, "little")
    return None
