# SPDX-License-Identifier: Apache-2.0
"""How the steps that put memory, and an unpacked root, on a new stick are done."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import assert_never

from liveos.errors import UsageError
from liveos.formats.binary import ByteSink, ByteSource, FileSource, FormatError
from liveos.formats.exception_store import writer
from liveos.formats.exception_store.geometry import Geometry
from liveos.formats.swap import SwapHeader
from liveos.formats.tree import FileTree
from liveos.host import disk, ext4
from liveos.host.folders.folder import DescriptorFile, StoredFile
from liveos.host.folders.in_volume import file_in
from liveos.host.luks import HEADER_SIZE, new_volume
from liveos.host.transfer import ReadAhead
from liveos.host.volumes import Ext4Volume, FatVolume, MountedVolume, StagedVolume
from liveos.medium.home.locate import open_root
from liveos.medium.overlay.origin import origin_of
from liveos.operations.home.filesystem import copy_used, new_filesystem
from liveos.operations.home.perform.create import reserve
from liveos.operations.install.filling import fill
from liveos.operations.install.perform import bytes_of, readable
from liveos.operations.install.session import Session, Written
from liveos.operations.steps.memory import (
    KeepPrivate,
    MakeHomePartition,
    MakeSwap,
    MemoryStep,
    StartStore,
    Unpack,
)
from liveos.operations.steps.stick import Place

_SNAPSHOT = Geometry(8)


def perform_memory_step(step: MemoryStep, session: Session) -> None:
    """Do one step; ``liveos.operations.execute`` alone calls this."""
    match step:
        case Unpack():
            _unpack(step, session)
        case StartStore():
            _start_store(step)
        case MakeSwap():
            _make_swap(step)
        case MakeHomePartition():
            _make_home_partition(step, session)
        case KeepPrivate():
            _keep_private(step)
        case _:
            assert_never(step)


def _unpack(step: Unpack, session: Session) -> None:
    """The file has all its blocks; those of zeros stay unwritten extents, which read as zeros."""
    what = (step.file, step.nested)
    relay = session.shared.relay(what, lambda: _nested(step), step.size)
    with _new_file(step.place, step.size) as file:
        fill(file, readable(step.place, relay.pieces(session.reader)), step.size, session)
    session.note(Written(step.place, step.size, relay.sums(), copied=True))


@contextmanager
def _nested(step: Unpack) -> Iterator[ByteSource]:
    """The bytes of the filesystem in an image."""
    name = f"{step.file.container}:{step.file.path}"
    with FileSource(step.file.container) as container:
        origin = origin_of(bytes_of(step.file, container), name, step.file.container)
        with ReadAhead(_whole(origin.source, step)) as source:
            yield source


def _whole(source: ByteSource | None, step: Unpack) -> ByteSource:
    if source is None or source.size != step.size:
        raise FormatError(f"{step.nested} is not in it any more")
    return source


def _start_store(step: StartStore) -> None:
    with file_in(step.place.volume, step.place.path).open(writable=True) as file:
        writer.create(file, _SNAPSHOT)


def _make_swap(step: MakeSwap) -> None:
    """Its blocks count as written, because kernels took unwritten ones for holes.

    What they hold is of no account, and nobody but root will read it.
    """
    volume, path = step.place.volume, step.place.path
    header = SwapHeader(step.size, step.uuid, step.label).pack()
    if not isinstance(volume, Ext4Volume):
        with _new_file(step.place, step.size) as file:
            file.write_at(0, header)
        return
    runs = ext4.allocate(volume, path, step.size)
    with disk.opened(volume.path) as descriptor:
        disk.write_all(descriptor, volume.offset + runs[0].offset, header)
    disk.sync(volume.path)
    ext4.mark_written(volume, path, runs)


def _make_home_partition(step: MakeHomePartition, session: Session) -> None:
    """Zeros are written, too: what the device held before must not show."""
    size = step.size - (HEADER_SIZE if step.encryption else 0)
    with (
        _root_for(step) as root,
        new_filesystem(
            size, step.uuid, step.features, user=step.user, root=root, targeted=step.targeted
        ) as filesystem,
        disk.opened(step.path) as descriptor,
    ):
        file = DescriptorFile(descriptor, step.size, step.offset)
        copy_used(filesystem, _sink(step, file), session.reporter.progress, zeros=True)
        file.flush()


def _root_for(step: MakeHomePartition) -> AbstractContextManager[FileTree | None]:
    """The files of the image, where a user's directory is made from them."""
    return nullcontext() if step.user is None else open_root(step.spec)


def _sink(step: MakeHomePartition, file: StoredFile) -> ByteSink:
    if step.encryption is None:
        return file
    if step.encryption.key is None:
        raise UsageError("an encrypted home needs a key", hint="add --key-file FILE")
    return new_volume(file, step.size, step.encryption.uuid, step.encryption.key)


@contextmanager
def _new_file(place: Place, size: int) -> Iterator[StoredFile]:
    file = file_in(place.volume, place.path)
    with file.folder.create(file.name, size) as opened:
        if isinstance(place.volume, MountedVolume):
            reserve(file.folder, file.name, size)
        yield opened


def _keep_private(step: KeepPrivate) -> None:
    for place in step.places:
        match place.volume:
            case Ext4Volume() as volume:
                line = f"set_inode_field {place.path} mode 0100600"
                ext4.debugfs(volume.edit(), [line])
            case StagedVolume() | MountedVolume() as volume:
                volume.at(place.path).chmod(0o600)
            case FatVolume():
                pass  # it has no modes
