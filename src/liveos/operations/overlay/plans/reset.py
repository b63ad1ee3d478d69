# SPDX-License-Identifier: Apache-2.0
"""The plan of ``overlay reset``."""

from liveos.errors import UnsupportedError
from liveos.formats.binary import FormatError
from liveos.formats.exception_store import LIVEOS_CHUNK_SECTORS, read_header
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.locate import OpenOverlay
from liveos.operations.overlay.steps import ResetStore, Subject
from liveos.operations.plan import Plan
from liveos.sizes import format_size


def plan(overlay: OpenOverlay, subject: Subject) -> Plan:
    """Forget every change; the store keeps its size, and its chunk size where it has one.

    :raises UnsupportedError: it is no store: a filesystem is emptied by whoever can write it.
    """
    if overlay.kind is not PersistenceKind.SNAPSHOT:
        raise UnsupportedError(
            f"{overlay.place} is a filesystem of OverlayFS, not a snapshot store",
            hint="start it once with rd.live.overlay.reset rd.overlay.reset on the kernel's line",
        )
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
