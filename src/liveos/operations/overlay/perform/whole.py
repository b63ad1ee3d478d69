# SPDX-License-Identifier: Apache-2.0
"""Making, emptying and removing whole overlays, so that a power cut halves none of it."""

import os
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import assert_never

from liveos.errors import LiveosError, RefusedError
from liveos.host import disk
from liveos.host.folders.directories import (
    directory_names,
    exchange,
    keep_private,
    make_directory,
    remove_tree,
    rename,
)
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.host.use import use_of_upper
from liveos.medium.model import PersistenceKind
from liveos.operations.home.filesystem import copy_used
from liveos.operations.overlay.embedded import overlay_filesystem
from liveos.operations.steps.whole_overlay import (
    UNUSED,
    WORK,
    EmbeddedFilesystem,
    MakeImage,
    MakeStore,
    MakeUpper,
    RemoveOverlay,
    ResetImage,
    ResetUpper,
    WholeOverlayStep,
    unused,
)
from liveos.report import Reporter


def perform_whole_overlay_step(step: WholeOverlayStep, reporter: Reporter) -> None:
    """Do one step; ``liveos.operations.execute`` alone calls this."""
    with _held(step):
        _clear(step.place)
        match step:
            case MakeStore():
                _make_store(step)
            case MakeImage(place, size, filesystem):
                _make_image(place, size, filesystem, reporter)
                _published(place)
            case MakeUpper(place, selinux):
                _make_upper(place, selinux)
            case ResetImage(place, size, filesystem):
                _make_image(place, size, filesystem, reporter)
                place.folder.replace(UNUSED + place.name, place.name)
            case ResetUpper(place, selinux):
                _reset_upper(place, selinux)
            case RemoveOverlay():
                _remove(step)
            case _:
                assert_never(step)


def _held(step: WholeOverlayStep) -> AbstractContextManager[None]:
    """Exclusive use of an unmounted stick, or of an overlay's file on a mounted one.

    :raises RefusedError: a directory of a mounted one is in use.
    """
    folder, name = step.place.folder, step.place.name
    if not isinstance(folder, HostFolder):
        return step.place.hold()
    if name in directory_names(folder):
        use = use_of_upper(folder.directory / name)
        if use is not None:
            raise RefusedError(
                f"{step.place} is in use: {use}", hint="shut that system down, and try again"
            )
        return nullcontext()
    return step.place.hold() if name in folder.names() else nullcontext()


def _clear(place: FolderFile) -> None:
    """Remove what a run that was cut off has left, and what has been taken out of use."""
    folder = place.folder
    for name in (UNUSED + place.name, UNUSED + WORK):
        if name in directory_names(folder):
            remove_tree(folder, name)
        elif name in folder.names():
            folder.remove(name)


def _make_store(step: MakeStore) -> None:
    new = unused(step.place)
    with new.folder.create(new.name, step.size):
        _reserve(new, step.size)
    keep_private(new.folder, new.name)
    _published(step.place)


def _make_image(
    place: FolderFile, size: int, filesystem: EmbeddedFilesystem, reporter: Reporter
) -> None:
    new = unused(place)
    with (
        overlay_filesystem(
            size, filesystem.uuid, filesystem.features, filesystem.selinux
        ) as source,
        new.folder.create(new.name, size) as file,
    ):
        _reserve(new, size)
        copy_used(source, file, reporter.progress, zeros=False)
        file.flush()
    keep_private(new.folder, new.name)


def _published(place: FolderFile) -> None:
    new = unused(place)
    try:
        new.folder.publish(new.name, place.name)
    except BaseException:
        with suppress(LiveosError, OSError):
            new.folder.remove(new.name)
        raise


def _reserve(place: FolderFile, size: int) -> None:
    """All blocks at once on a mounted filesystem: an overlay must not run dry in the middle."""
    if isinstance(place.folder, HostFolder):
        with disk.opened(place.folder.directory / place.name) as descriptor:
            os.posix_fallocate(descriptor, 0, size)


def _make_upper(place: FolderFile, selinux: str | None) -> None:
    folder = place.folder
    if WORK in directory_names(folder):
        rename(folder, [(WORK, UNUSED + WORK)])
        _clear(place)
    for name in (WORK, place.name):
        make_directory(folder, UNUSED + name, selinux)
    rename(folder, [(UNUSED + name, name) for name in (WORK, place.name)])


def _reset_upper(place: FolderFile, selinux: str | None) -> None:
    """The work directory first: an upper one with a new one of these is in order, too."""
    folder = place.folder
    if WORK not in directory_names(folder):
        make_directory(folder, WORK, selinux)
    for name in (WORK, place.name):
        make_directory(folder, UNUSED + name, selinux)
    exchange(folder, [(UNUSED + name, name) for name in (WORK, place.name)])
    _clear(place)


def _remove(step: RemoveOverlay) -> None:
    folder, name = step.place.folder, step.place.name
    if step.kind is not PersistenceKind.DIRECTORY:
        folder.remove(name)
        return
    names = [each for each in (name, WORK) if each in directory_names(folder)]
    if names:
        rename(folder, [(each, UNUSED + each) for each in names])
        _clear(step.place)
