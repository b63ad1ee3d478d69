# SPDX-License-Identifier: Apache-2.0
"""Making a home: whole under another name, and only then under its own."""

import os
from contextlib import AbstractContextManager, nullcontext, suppress

from liveos.errors import LiveosError, UsageError
from liveos.formats.binary import ByteSink
from liveos.formats.tree import FileTree
from liveos.host import disk
from liveos.host.folders.directories import keep_private
from liveos.host.folders.folder import Folder, FolderFile, HostFolder, StoredFile
from liveos.host.folders.partition import PartitionFolder
from liveos.host.luks import HEADER_SIZE, Key, new_volume
from liveos.medium.home.locate import open_root
from liveos.operations.home.filesystem import copy_used, new_filesystem
from liveos.operations.steps.home import NEW, CreateHome
from liveos.report import Reporter


def create_home(step: CreateHome, reporter: Reporter) -> None:
    """A power cut leaves no file called home.img, or the whole one."""
    folder, part = step.place.folder, step.place.name + NEW
    with held(step.place):
        if step.stale:
            folder.remove(part)
        if step.user is not None:
            with open_root(step.spec) as tree:
                _make(step, tree, reporter)
        else:
            _make(step, None, reporter)
        try:
            keep_private(folder, part)
            folder.publish(part, step.place.name)
        except BaseException:
            with suppress(LiveosError, OSError):
                folder.remove(part)
            raise
    if isinstance(folder, PartitionFolder):
        disk.reread_partitions(folder.path)


def held(place: FolderFile) -> AbstractContextManager[None]:
    """Exclusive use of an unmounted stick; what is mounted is the kernel's to share."""
    if isinstance(place.folder, HostFolder):
        return nullcontext()
    return place.hold()


def _make(step: CreateHome, root: FileTree | None, reporter: Reporter) -> None:
    folder, part = step.place.folder, step.place.name + NEW
    size = step.size - (HEADER_SIZE if step.encryption else 0)
    with (
        new_filesystem(
            size, step.uuid, step.features, user=step.user, root=root, targeted=step.targeted
        ) as filesystem,
        folder.create(part, step.size) as file,
    ):
        reserve(folder, part, step.size)
        sink = _sink(step, file)
        # A partition does not read as zeros by itself, nor does what is encrypted.
        zeros = step.encryption is not None or isinstance(folder, PartitionFolder)
        copy_used(filesystem, sink, reporter.progress, zeros=zeros)
        file.flush()


def _sink(step: CreateHome, file: StoredFile) -> ByteSink:
    if step.encryption is None:
        return file
    return new_volume(file, step.size, step.encryption.uuid, _key(step.encryption.key))


def _key(key: Key | None) -> Key:
    if key is None:
        raise UsageError("an encrypted home needs a key", hint="add --key-file FILE")
    return key


def reserve(folder: Folder, name: str, size: int) -> None:
    """All blocks at once on a mounted filesystem: a home must not run dry in the middle of use."""
    if isinstance(folder, HostFolder):
        with disk.opened(folder.directory / name) as descriptor:
            os.posix_fallocate(descriptor, 0, size)
