# SPDX-License-Identifier: Apache-2.0
"""Directories of this machine, on a mounted filesystem: made, exchanged, removed as trees."""

import ctypes
import os
import shutil
from contextlib import suppress
from errno import ENODATA, EOPNOTSUPP, EPERM
from pathlib import Path

from liveos.errors import RefusedError
from liveos.host import disk
from liveos.host.folders.folder import already_there, checked_name

_AT_CWD = -100  # AT_FDCWD of fcntl.h
_EXCHANGE = 2  # RENAME_EXCHANGE of linux/fs.h
_NO_LABELS = frozenset({EOPNOTSUPP, EPERM, ENODATA})


def make_directory(directory: Path, name: str, selinux: str | None) -> None:
    """An empty directory with mode 0755; of root's, and with its label, as far as one may."""
    path = directory / checked_name(name)
    try:
        path.mkdir()
    except FileExistsError as error:
        raise already_there(path) from error
    path.chmod(0o755)
    with suppress(PermissionError):
        os.chown(path, 0, 0)
    if selinux is not None:
        try:
            os.setxattr(path, "security.selinux", selinux.encode() + b"\0")
        except OSError as error:
            if error.errno not in _NO_LABELS:
                raise
    disk.sync_directory(path)
    disk.sync_directory(directory)


def exchange(directory: Path, one: str, other: str) -> None:
    """Two directories, or links, get each other's name at once (renameat2(2))."""
    paths = [os.fsencode(directory / checked_name(name)) for name in (one, other)]
    library = ctypes.CDLL(None, use_errno=True)
    if library.renameat2(_AT_CWD, paths[0], _AT_CWD, paths[1], _EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(paths[0]))
    disk.sync_directory(directory)


def move_with_link(directory: Path, old: str, new: str) -> None:
    """A directory gets a name that nothing has, and a link of the old one leads there.

    The link comes first, under the new name, where it leads to itself; then they exchange names.
    """
    path = directory / checked_name(new)
    if os.path.lexists(path):
        raise already_there(path)
    path.symlink_to(new)
    disk.sync_directory(directory)
    exchange(directory, old, new)


def rename(directory: Path, old: str, new: str) -> None:
    """A directory gets a name that nothing has."""
    path = directory / checked_name(new)
    if os.path.lexists(path):
        raise already_there(path)
    (directory / checked_name(old)).rename(path)
    disk.sync_directory(directory)


def remove_tree(directory: Path, name: str) -> None:
    """Remove a directory with everything below it, if it is there."""
    path = directory / checked_name(name)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise RefusedError(f"{path} is not a directory", hint="look what it is")
    if path.exists():
        shutil.rmtree(path)
        disk.sync_directory(directory)
