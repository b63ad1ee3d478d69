# SPDX-License-Identifier: Apache-2.0
"""The plan of ``overlay reset``."""

from liveos.formats.binary import FormatError
from liveos.formats.exception_store import LIVEOS_CHUNK_SECTORS, read_header
from liveos.medium.overlay.locate import OpenOverlay
from liveos.operations.overlay.steps import ResetStore, Subject
from liveos.operations.plan import Plan
from liveos.sizes import format_size


def plan(overlay: OpenOverlay, subject: Subject) -> Plan:
    """Forget every change; the store keeps its size, and its chunk size where it has one."""
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
