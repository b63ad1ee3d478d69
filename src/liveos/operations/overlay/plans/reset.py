# SPDX-License-Identifier: Apache-2.0
"""The plan of ``overlay reset``."""

from uuid import UUID

from liveos.errors import NoSpaceError, UnsupportedError
from liveos.formats.binary import FormatError
from liveos.formats.exception_store import LIVEOS_CHUNK_SECTORS, read_header
from liveos.host.folders.directories import directory_names
from liveos.host.tools import DEBUGFS, E2FSCK, MKE2FS, MTOOLS
from liveos.host.volumes import SAFE_FEATURES
from liveos.medium.home.mounting import read_live_system
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.locate import OpenOverlay
from liveos.operations.overlay.plans.words import room_for
from liveos.operations.plan import Plan
from liveos.operations.steps.overlay import ResetStore, Subject
from liveos.operations.steps.whole_overlay import (
    EmbeddedFilesystem,
    ResetImage,
    ResetUpper,
    context_of_root,
    leftovers,
)
from liveos.sizes import format_size


def plan(overlay: OpenOverlay, subject: Subject, uuid: UUID) -> Plan:
    """Forget every change. ``uuid`` is for the new ext4 of an overlay image.

    A store keeps its size, and its chunk size where it has one; an image keeps its size.

    :raises NoSpaceError: there is no room for an empty image beside the old one.
    :raises UnsupportedError: the changes are in no overlay.
    """
    match overlay.kind:
        case PersistenceKind.SNAPSHOT:
            return _reset_store(overlay, subject)
        case PersistenceKind.DIRECTORY:
            return _reset_directory(overlay, subject)
        case PersistenceKind.IMAGE:
            return _reset_image(overlay, subject, uuid)
        case PersistenceKind.DIRECT:
            raise UnsupportedError(
                f"{overlay.place} is a root that is written to itself: what it was is not known",
                hint="install it anew to have it as it was",
            )


def _reset_store(overlay: OpenOverlay, subject: Subject) -> Plan:
    store = overlay.need_store()
    try:
        sectors = read_header(store).geometry().chunk_sectors
    except FormatError:
        sectors = LIVEOS_CHUNK_SECTORS
    return Plan(
        title=f"reset the overlay {subject}",
        steps=(ResetStore(subject, sectors),),
        destroys=(f"every change kept in {subject} ({format_size(store.size)})",),
    )


def _reset_directory(overlay: OpenOverlay, subject: Subject) -> Plan:
    return Plan(
        title=f"reset the overlay {subject}",
        steps=(ResetUpper(subject.place, _label(overlay)),),
        destroys=(f"every change kept in {subject}",),
        notes=_rubbish(subject),
        needs=(DEBUGFS,),
    )


def _reset_image(overlay: OpenOverlay, subject: Subject, uuid: UUID) -> Plan:
    assert overlay.source is not None
    size, free = overlay.source.size, room_for(subject.place)
    if size > free:
        raise NoSpaceError(
            f"an empty image of {format_size(size)} must lie beside {subject} for a moment, and"
            f" {format_size(free)} are free",
            hint="the entry of the boot menu that erases all changes needs no room",
        )
    filesystem = EmbeddedFilesystem(uuid, SAFE_FEATURES, _label(overlay))
    return Plan(
        title=f"reset the overlay {subject}",
        steps=(ResetImage(subject.place, size, filesystem),),
        destroys=(f"every change kept in {subject} ({format_size(size)})",),
        notes=_rubbish(subject),
        needs=(DEBUGFS, E2FSCK, MKE2FS, MTOOLS),
    )


def _label(overlay: OpenOverlay) -> str | None:
    """That of a new installation of the image."""
    tree = overlay.origin.tree if overlay.origin is not None else None
    return context_of_root(targeted=tree is not None and read_live_system(tree).targeted)


def _rubbish(subject: Subject) -> tuple[str, ...]:
    folder = subject.place.folder
    names = frozenset((*folder.names(), *directory_names(folder)))
    found = leftovers(names, subject.place)
    return tuple(f"{folder}/{name}, left by a run that was cut off, goes" for name in found)
