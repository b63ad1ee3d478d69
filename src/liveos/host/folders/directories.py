# SPDX-License-Identifier: Apache-2.0
"""The directories in a `Folder`: made, exchanged, and removed with everything in them; modes.

Inside an unmounted ext4 each of these is one change, but for the removal of large trees. On a
mounted filesystem several directories change one after the other.
"""

import os
from collections.abc import Sequence

from liveos.errors import UnsupportedError
from liveos.host.folders import ext4_trees, host_trees
from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.folder import Folder, HostFolder


def make_directory(folder: Folder, name: str, selinux: str | None) -> None:
    """An empty directory of root's with mode 0755 and a label for SELinux."""
    match folder:
        case Ext4Folder(volume, directory):
            ext4_trees.make_directory(volume, directory, name, selinux)
        case HostFolder(path):
            host_trees.make_directory(path, name, selinux)
        case _:
            raise _no_directories(folder)


def exchange(folder: Folder, pairs: Sequence[tuple[str, str]]) -> None:
    """The directories of each pair get each other's name, in this order."""
    match folder:
        case Ext4Folder(volume, directory):
            ext4_trees.exchange(volume, directory, pairs)
        case HostFolder(path):
            for one, other in pairs:
                host_trees.exchange(path, one, other)
        case _:
            raise _no_directories(folder)


def rename(folder: Folder, moves: Sequence[tuple[str, str]]) -> None:
    """Directories get names that nothing has, in this order."""
    match folder:
        case Ext4Folder(volume, directory):
            ext4_trees.rename(volume, directory, moves)
        case HostFolder(path):
            for old, new in moves:
                host_trees.rename(path, old, new)
        case _:
            raise _no_directories(folder)


def move_with_link(folder: Folder, old: str, new: str) -> None:
    """A directory gets a name that nothing has, and a link of the old one leads there: at once."""
    match folder:
        case Ext4Folder(volume, directory):
            ext4_trees.move_with_link(volume, directory, old, new)
        case HostFolder(path):
            host_trees.move_with_link(path, old, new)
        case _:
            raise _no_directories(folder)


def remove_tree(folder: Folder, name: str) -> None:
    """Remove a directory with everything below it, if it is there."""
    match folder:
        case Ext4Folder(volume, directory):
            ext4_trees.remove_tree(volume, directory, name)
        case HostFolder(path):
            host_trees.remove_tree(path, name)
        case _:
            raise _no_directories(folder)


def keep_private(folder: Folder, name: str) -> None:
    """Let nobody but its owner read a file, where there are owners and it is not so already."""
    if isinstance(folder, Ext4Folder):
        ext4_trees.keep_private(folder.volume, folder.directory, name)


def directory_names(folder: Folder) -> tuple[str, ...]:
    """The names of the directories in a folder, sorted; FAT's are nobody's concern here."""
    match folder:
        case Ext4Folder(volume, directory):
            return ext4_trees.directory_names(volume, directory)
        case HostFolder(path):
            with os.scandir(path) as entries:
                return tuple(sorted(e.name for e in entries if e.is_dir(follow_symlinks=False)))
        case _:
            return ()


def _no_directories(folder: Folder) -> UnsupportedError:
    return UnsupportedError(
        f"{folder} cannot hold a directory for OverlayFS: FAT keeps neither owners nor attributes",
        hint="choose --kind image, which is a file with an ext4 in it",
    )
