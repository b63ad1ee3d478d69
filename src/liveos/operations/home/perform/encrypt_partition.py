# SPDX-License-Identifier: Apache-2.0
"""A plain home in a partition becomes an encrypted one, where it lies."""

from pathlib import Path

from liveos.errors import LiveosError, NoSpaceError, UsageError
from liveos.formats.encryption_mark import read_mark
from liveos.formats.ext4.reader import Ext4
from liveos.host import disk
from liveos.host.folders.ext4_window import replay
from liveos.host.folders.folder import FolderFile, StoredFile
from liveos.host.folders.partition import PartitionFolder
from liveos.host.volumes import Ext4Volume
from liveos.operations.home.contents import filesystem, shape
from liveos.operations.home.encryption import begin, go_on
from liveos.operations.home.in_place import missing_bytes, set_filesystem_size
from liveos.operations.steps.home import EncryptPartition, MakeRoom
from liveos.report import Finding, Reporter, Severity
from liveos.sizes import format_size


def make_room(step: MakeRoom, reporter: Reporter) -> None:
    """A power cut leaves the old filesystem or the smaller one."""
    with step.place.hold():
        with step.place.open() as file:
            fs = filesystem(file, step.place)
            size = step.size // fs.superblock.block_size * fs.superblock.block_size
            fits = fs.superblock.size <= size
            if not fits:
                _require_fitting(step, missing_bytes(fs, size))
            # Of a filesystem with errors, nobody could tell what it uses.
            with shape(fs):
                pass
        if not fits:
            with step.place.open(writable=True) as file:
                set_filesystem_size(file, size, step.place, reporter.progress)
    _forget_cached(step.place)


def _forget_cached(place: FolderFile) -> None:
    """A partition's own device does not see what was written through that of the whole disk."""
    if isinstance(place.folder, PartitionFolder):
        disk.reread_partitions(place.folder.path)


def _require_fitting(step: MakeRoom, missing: int) -> None:
    if missing:
        raise NoSpaceError(
            f"{step.place} is too full to be encrypted where it lies: {format_size(missing)} more"
            " must be free",
            hint="delete files in there, or make it larger first: liveos home resize",
        )


def encrypt_partition(step: EncryptPartition, reporter: Reporter) -> None:
    """A power cut leaves the plain home, the encrypted one, or one with which this goes on."""
    key = step.encryption.key
    if key is None:
        raise UsageError("an encrypted home needs a key", hint="add --key-file FILE")
    with step.place.hold(), step.place.open(writable=True) as file:
        if read_mark(file) is None:
            replay(file, Ext4Volume(Path(str(step.place)), 0, file.size))
            begin(file, Ext4(file), step.encryption.uuid, key)
        contents = go_on(file, key, step.place, reporter.progress)
        _fill(contents, step.place, reporter)
    _forget_cached(step.place)


def _fill(contents: StoredFile, place: FolderFile, reporter: Reporter) -> None:
    """The filesystem gets back the room that was needed on the way."""
    block = Ext4(contents).superblock.block_size
    try:
        set_filesystem_size(contents, contents.size // block * block, place, reporter.progress)
    except LiveosError as error:
        message = f"{place} is encrypted, and its filesystem is smaller than it: {error}"
        repair = "start the image, and resize it with resize2fs"
        reporter.finding(Finding("home-not-filled", Severity.INFO, message, repair))
