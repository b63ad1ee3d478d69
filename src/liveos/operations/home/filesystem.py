# SPDX-License-Identifier: Apache-2.0
"""A new ext4 for a home, made in memory; of it, what it uses goes to the stick."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import numpy as np

from liveos.formats.binary import ByteSink, FileSource
from liveos.formats.ext4.groups import free_map
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.records import ROOT_INODE
from liveos.formats.tree import FileTree
from liveos.host.ext4 import debugfs
from liveos.host.memory_file import MemoryFile, memory_file
from liveos.host.run import run
from liveos.host.tools import MKE2FS, Command
from liveos.host.transfer import PIECE
from liveos.host.volumes import BLOCK, Ext4Volume
from liveos.medium.home.user import HomeUser
from liveos.operations.home.skeleton import copy_skeleton

# What the targeted policy gives to /home, to a directory of a user, and to what is in there.
_ROOT_LABEL = "system_u:object_r:home_root_t:s0"
_USER_LABEL = "unconfined_u:object_r:user_home_dir_t:s0"
_INNER_LABEL = "unconfined_u:object_r:user_home_t:s0"
_LOST_LABEL = "system_u:object_r:lost_found_t:s0"

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


@contextmanager
def new_filesystem(
    size: int,
    uuid: UUID,
    features: str,
    *,
    user: HomeUser | None = None,
    root: FileTree | None = None,
    targeted: bool,
) -> Iterator[MemoryFile]:
    """An ext4 of ``size`` bytes that e2fsck finds nothing wrong with.

    It has the directory of a ``user``, with what the image has for them in its ``root``.
    ``targeted`` gives every file its SELinux label.
    """
    with TemporaryDirectory(prefix="liveos-home-") as scratch, memory_file("home", size=size) as it:
        top = Path(scratch) / "top"
        top.mkdir()
        if user is not None:
            (top / user.name).mkdir(mode=0o700)
            if root is not None:
                copy_skeleton(root, user.name, top / user.name)
        volume = Ext4Volume(it.path, 0, size)
        made = volume.make("home", uuid, features, journal_first=True)
        run(Command(MKE2FS, ("-d", str(top), *made.arguments)))
        debugfs(volume.edit(), list(_owners(it.path, user, targeted=targeted)))
        run(volume.check())
        yield it


def _owners(path: Path, user: HomeUser | None, *, targeted: bool) -> Iterator[str]:
    """Commands for debugfs, by number: names from an image are no words for it."""
    with FileSource(path) as source:
        found = [(node.path, node.number) for node in Ext4(source).walk()]
    for field, value in (("uid", "0"), ("gid", "0"), ("mode", "040755")):
        yield f"set_inode_field <{ROOT_INODE}> {field} {value}"
    for name, number in found:
        if user is not None and name.split("/")[1] == user.name:
            yield f"set_inode_field <{number}> uid {user.uid}"
            yield f"set_inode_field <{number}> gid {user.gid}"
    if targeted:
        for name, number in [("/", ROOT_INODE), *found]:
            # The kernel stores contexts with their final NUL.
            yield f"ea_set <{number}> security.selinux {label_of(name)}\\000"


def label_of(path: str) -> str:
    """The label of a file of a home, by its path in there."""
    if path == "/":
        return _ROOT_LABEL
    if path == "/lost+found":
        return _LOST_LABEL
    return _USER_LABEL if path.count("/") == 1 else _INNER_LABEL


def copy_used(file: MemoryFile, sink: ByteSink, progress: Progress, *, zeros: bool) -> None:
    """Write the blocks that the filesystem uses; what it does not use, it never reads.

    ``zeros`` also writes what is all zero: needed where the sink does not read so by itself, as
    under encryption.
    """
    with FileSource(file.path) as source:
        used = np.flatnonzero(~free_map(Ext4(source)))
        done, total = 0, len(used) * BLOCK
        for run_of_blocks in np.split(used, np.flatnonzero(np.diff(used) != 1) + 1):
            start, stop = int(run_of_blocks[0]) * BLOCK, (int(run_of_blocks[-1]) + 1) * BLOCK
            for offset in range(start, stop, PIECE):
                data = source.read_at(offset, min(PIECE, stop - offset))
                if zeros or any(data):
                    sink.write_at(offset, data)
                done += len(data)
                progress(done, total)
