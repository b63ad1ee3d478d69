# SPDX-License-Identifier: Apache-2.0
"""How the steps for images of a stick are done, each with the stick for itself.

Whatever is new is made under a name that nothing looks for yet; so only what takes the place of
something else must do so at once.
"""

import posixpath
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import assert_never

from liveos.formats.swap import SwapHeader
from liveos.host.folders import ext4_trees
from liveos.host.folders.directories import (
    directory_names,
    keep_private,
    move_with_link,
    remove_tree,
    rename,
)
from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.host.folders.in_volume import file_in
from liveos.host.hold import hold
from liveos.host.sums import Summing
from liveos.host.volumes import Ext4Volume, FatVolume
from liveos.operations.home.perform.create import held
from liveos.operations.install.filling import fill
from liveos.operations.install.perform import readable, record_text, relayed, stream
from liveos.operations.install.session import Session, Written
from liveos.operations.menus.perform import replace_text
from liveos.operations.steps.images import (
    AddFile,
    AddRecord,
    AddSwap,
    AddText,
    GiveName,
    ImageStep,
    MakeFolder,
    MakeWritable,
    MoveDirectory,
    RemoveFile,
    RemoveFolder,
    SetAside,
    StickFolder,
)
from liveos.operations.steps.stick import Place

_ZEROS = 1 << 20


def perform_image_step(  # noqa: C901 - one case for each kind of step
    step: ImageStep, session: Session
) -> None:
    """Do one step; ``liveos.operations.execute`` alone calls this."""
    match step:
        case MakeWritable():
            session.make_writable(step)
        case AddRecord(place, record):
            _write_record(place, record_text(record, session))
        case RemoveFile(place):
            _remove_file(place)
        case AddFile() | AddText():
            with held(file_in(step.place.volume, step.place.path)):
                _add(step, session)
        case MakeFolder(folder):
            with _held(folder):
                folder.make()
        case RemoveFolder(folder):
            with _held(folder):
                _remove_folder(folder)
        case AddSwap():
            with held(step.place):
                _add_swap(step)
        case SetAside(folder, name, aside):
            with _held(folder):
                _set_aside(folder, name, aside)
        case GiveName(place, name):
            with place.hold():
                place.folder.publish(place.name, name)
        case MoveDirectory(folder, old, new):
            with _held(folder):
                move_with_link(folder, old, new)
        case _:
            assert_never(step)


def _held(folder: StickFolder) -> AbstractContextManager[None]:
    """Exclusive use of an unmounted stick; what is mounted is the kernel's to share."""
    return nullcontext() if isinstance(folder, HostFolder) else hold(folder.volume.path)


def _add(step: AddFile | AddText, session: Session) -> None:
    if isinstance(step, AddText):
        text = step.text.encode()
        summing = Summing()
        _write(step.place, len(text), summing.through((text,)), session)
        session.note(Written(step.place, len(text), summing.sums, copied=False))
        return
    relay, size = relayed(step.file, session), step.file.size
    _write(step.place, size, readable(step.place, relay.pieces(session.reader)), session)
    session.note(Written(step.place, size, relay.sums(), copied=True))


def _write(place: Place, size: int, data: Iterator[bytes], session: Session) -> None:
    directory, name = posixpath.split(place.path)
    if isinstance(place.volume, FatVolume):
        FatFolder(place.volume, directory).clear_remains()
    if not isinstance(place.volume, Ext4Volume):
        stream(place, size, data, session)
        return
    with Ext4Folder(place.volume, directory).create(name, size) as file:
        fill(file, data, size, session)


def _write_record(place: Place, text: str) -> None:
    file = file_in(place.volume, place.path)
    if file.name in file.folder.names():
        replace_text(file, text.encode())
        return
    with held(file), file.folder.create(file.name, len(text.encode())) as new:
        new.write_at(0, text.encode())
    if isinstance(file.folder, HostFolder):
        (file.folder.directory / file.name).chmod(0o644)  # it keeps nothing from anybody


def _remove_file(place: FolderFile) -> None:
    with held(place):
        if place.name in place.folder.names():
            place.folder.remove(place.name)


def _remove_folder(folder: StickFolder) -> None:
    if isinstance(folder, HostFolder):
        _remove_mounted(folder)
        return
    parent, name = posixpath.split(folder.directory)
    if isinstance(folder, Ext4Folder):
        above = Ext4Folder(folder.volume, parent)
        if name in directory_names(above):
            remove_tree(above, name)
        else:
            ext4_trees.remove_link(folder.volume, parent, name)
    elif folder.is_there():
        folder.remove_with_files()


def _remove_mounted(folder: HostFolder) -> None:
    above, name = HostFolder(folder.directory.parent), folder.directory.name
    if folder.directory.is_symlink():
        above.remove(name)
    else:
        remove_tree(above, name)


def _add_swap(step: AddSwap) -> None:
    """Zeros are written, so that no block counts as unwritten, which kernels took for a hole."""
    folder = step.place.folder
    with folder.create(step.place.name, step.size) as file:
        for offset in range(0, step.size, _ZEROS):
            file.write_at(offset, bytes(min(_ZEROS, step.size - offset)))
        file.write_at(0, SwapHeader(step.size, step.uuid, step.label).pack())
        file.flush()
    keep_private(folder, step.place.name)


def _set_aside(folder: StickFolder, name: str, aside: str) -> None:
    if name in directory_names(folder):
        rename(folder, [(name, aside)])
    else:
        folder.publish(name, aside)
