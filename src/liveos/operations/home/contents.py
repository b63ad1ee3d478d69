# SPDX-License-Identifier: Apache-2.0
"""The filesystem inside a home, whether that is encrypted or not, and copies of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from liveos.errors import ToolFailedError, UnsupportedError, UsageError
from liveos.formats.binary import ByteSource, FileSource, FormatError
from liveos.formats.ext4.groups import Bits
from liveos.formats.ext4.owners import BlockUse, owners
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.replay import recover
from liveos.formats.identify import Kind, identify
from liveos.formats.luks import LuksHeader
from liveos.host import ext4_outline
from liveos.host.folders.folder import FolderFile, StoredFile
from liveos.host.luks import Key
from liveos.host.luks_volume import EncryptedFile, volume_key
from liveos.host.transfer import PIECE
from liveos.operations.home.filesystem import Progress


@dataclass(frozen=True, slots=True)
class Lock:
    """How the contents of an encrypted home are reached."""

    header: LuksHeader
    volume_key: bytes

    def inside(self, file: StoredFile) -> EncryptedFile:
        return EncryptedFile(file, self.header, self.volume_key)


def unlock(file: StoredFile, key: Key | None, place: FolderFile) -> Lock | None:
    """What opens a home; None for a plain one.

    :raises RefusedError: the key is not one of its keys.
    """
    identity = identify(file)
    if identity is None or identity.kind is not Kind.LUKS:
        return None
    if key is None:
        raise UsageError(f"{place} is encrypted: it needs its key", hint="add --key-file FILE")
    return Lock(*volume_key(file, key, place))


def inside(file: StoredFile, lock: Lock | None) -> StoredFile:
    """The plain contents of a home."""
    return file if lock is None else lock.inside(file)


def filesystem(contents: ByteSource, place: FolderFile) -> Ext4:
    """The ext4 in there, as it is after a recovery; :raises UnsupportedError: there is none."""
    try:
        return Ext4(recover(contents))
    except FormatError as error:
        raise UnsupportedError(
            f"{place} holds no ext4 that liveos can change: {error}",
            hint="other filesystems have tools of their own, for a mounted home",
        ) from error


@dataclass(frozen=True)
class Shape:
    """A filesystem as it is to become: ``new`` has its metadata, ``old`` its contents."""

    old: Ext4
    new: Ext4

    def pieces(self) -> Iterator[tuple[ByteSource, int, int, int]]:
        """(source, offset there, offset in the new one, length) of all that it uses, in bytes."""
        for start, target, length in ext4_outline.moved(self.old, self.new):
            for done in range(0, length, PIECE):
                part = min(PIECE, length - done)
                yield self.old.source, start + done, target + done, part
        for start, length in runs_of(self.own_blocks(), self.new.superblock.block_size):
            for offset in range(start, start + length, PIECE):
                yield self.new.source, offset, offset, min(PIECE, start + length - offset)

    def own_blocks(self) -> Bits:
        """Which blocks are no content of files; inode tables in full, which must be zeros."""
        tables = owners(self.new).use == BlockUse.INODE_TABLE
        return np.asarray(ext4_outline.metadata(self.new) | tables)


def runs_of(blocks: Bits, size: int) -> Iterator[tuple[int, int]]:
    """(offset, length) in bytes of the blocks that are chosen."""
    chosen = np.flatnonzero(blocks)
    for run in np.split(chosen, np.flatnonzero(np.diff(chosen) != 1) + 1):
        if len(run):
            yield int(run[0]) * size, len(run) * size


@contextmanager
def shape(old: Ext4, size: int | None = None) -> Iterator[Shape]:
    """A filesystem as it will be with another size; with None, as it is but for orphans."""
    with ext4_outline.outline(old) as outline:
        if size is not None:
            ext4_outline.resize(outline, size)
        with FileSource(outline.path) as source:
            yield Shape(old, Ext4(source))


def write_copy(wanted: Shape, sink: StoredFile, progress: Progress, *, zeros: bool) -> None:
    """Write a filesystem anew and read it back; what it does not use is not written.

    :param zeros: also write what is all zero: the sink does not read so by itself.
    :raises ToolFailedError: what is read is not what was written.
    """
    total = 2 * sum(length for *_, length in wanted.pieces())
    done = 0
    for source, start, target, length in wanted.pieces():
        data = source.read_at(start, length)
        if zeros or any(data):
            sink.write_at(target, data)
        done += length
        progress(done, total)
    sink.flush()
    for source, start, target, length in wanted.pieces():
        if sink.read_at(target, length) != source.read_at(start, length):
            raise ToolFailedError(f"bytes {target}..{target + length} are not as they were written")
        done += length
        progress(done, total)
