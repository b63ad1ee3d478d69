# SPDX-License-Identifier: Apache-2.0
"""Making a store larger or smaller."""

from liveos.errors import RefusedError
from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store import read_header, read_store
from liveos.host.folders.folder import FolderFile
from liveos.medium.overlay.sizing import least_chunks
from liveos.operations.steps.overlay import ResizeStore


def resize_store(step: ResizeStore) -> None:
    """:raises RefusedError: the store is not what it was when the plan was made."""
    place = step.subject.place
    with place.hold():
        resize(place, step.before, step.size)


def resize(place: FolderFile, before: int, size: int) -> None:
    """Change the size of the store at ``place``; a cut leaves it as large as it was or will be.

    What is added reads as zeros. A list that goes on behind the end of the file (code A1) ends
    in the first added area, so the part of that area that is there already must be zero before
    the rest comes (reference 3.3): until then the kernel refuses the store, afterwards it loads.
    """
    with place.open(writable=True) as store:
        if store.size != before:
            raise _changed(place)
        rest = _unfinished_area(store)
        if size < before and _needed(store) > size:
            raise _changed(place)
        if rest is not None and rest < before:
            store.write_at(rest, bytes(before - rest))
            store.flush()
    place.folder.resize(place.name, size)


def _unfinished_area(store: ByteSource) -> int | None:
    """Where the area begins that should end the list, if it is not wholly in the file."""
    try:
        found = read_store(store)
    except FormatError:
        return None  # blank: there is no list yet
    if found.terminated:
        return None
    area = found.count // found.geometry.slots_per_area
    return found.geometry.area_chunk(area) * found.geometry.chunk_size


def _needed(store: ByteSource) -> int:
    """Bytes without which the store would not load, or miss data."""
    if read_header(store).is_blank:
        return 0
    found = read_store(store)
    return least_chunks(found) * found.geometry.chunk_size


def _changed(place: FolderFile) -> RefusedError:
    return RefusedError(f"{place} has changed since the plan was made", hint="plan again")
