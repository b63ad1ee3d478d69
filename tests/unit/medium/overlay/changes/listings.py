# SPDX-License-Identifier: Apache-2.0
"""An independent report: two listings of trees compared path by path, by the rules for users."""

import hashlib
import stat
from collections.abc import Mapping

from liveos.formats.tree import FileKind, FileTree
from liveos.medium.overlay.changes.model import Changes

Facts = Mapping[str, object]
Listing = Mapping[str, Facts]


def listing_of(tree: FileTree) -> dict[str, dict[str, object]]:
    """What a reader says of a tree, in the words of ``make_overlayfs_fixtures.listing``."""
    found = {}
    for node in (tree.root, *tree.walk()):
        if node.path.split("/")[1] == "lost+found":
            continue
        attributes = tree.attributes(node)
        content = ""
        if node.kind is FileKind.SYMLINK:
            content = tree.readlink(node)
        elif node.kind is FileKind.FILE:
            content = hashlib.sha256(tree.open(node).read_at(0, node.size)).hexdigest()
        is_directory = node.kind is FileKind.DIRECTORY
        found[node.path] = {
            "mode": attributes.mode,
            "owner": [attributes.uid, attributes.gid],
            "mtime_ns": None if is_directory else attributes.mtime_ns,
            "device": list(attributes.device or (0, 0)),
            "xattrs": {name: value.hex() for name, value in attributes.xattrs.items()},
            "content": content,
        }
    return found


def changes_between(
    before: Listing, after: Listing, renamed: Mapping[str, str] | None = None
) -> Changes:
    """The report for two listings, in which ``renamed`` says what moved where."""
    renamed = renamed or {}
    old_paths = {_moved(path, renamed): path for path in before}
    before = {path: before[old] for path, old in old_paths.items()}
    added = after.keys() - before.keys()
    removed = before.keys() - after.keys()
    both = before.keys() & after.keys()
    types = {path for path in both if _type(before[path]) != _type(after[path])}
    anew = {path for path in types if stat.S_IFDIR in {_type(before[path]), _type(after[path])}}
    modified = {
        path for path in both - types if before[path]["content"] != after[path]["content"]
    } | (types - anew)
    metadata = {path for path in both - types - modified if before[path] != after[path]}
    return Changes(
        added=tuple(sorted(added | anew)),
        removed=tuple(sorted(old_paths[path] for path in removed | anew)),
        modified=tuple(sorted(modified)),
        renamed=tuple(sorted(renamed.items())),
        metadata=tuple(sorted(metadata)),
    )


def _moved(path: str, renamed: Mapping[str, str]) -> str:
    """Where a path of before is afterwards; what is in a moved directory moves with it."""
    for old, new in renamed.items():
        if path == old or path.startswith(f"{old}/"):
            return new + path.removeprefix(old)
    return path


def _type(facts: Facts) -> int:
    mode = facts["mode"]
    assert isinstance(mode, int)
    return stat.S_IFMT(mode)
