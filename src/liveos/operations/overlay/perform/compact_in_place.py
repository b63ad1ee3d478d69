# SPDX-License-Identifier: Apache-2.0
"""A store without what it holds in vain, where there is no room for a second one.

The order: dead records are dropped, the rest is moved together, the journal is replayed into the
room that this gives. Dropping comes first because a full store, whose filesystem always needs
recovery, has no room for what a replay adds. It is safe before the replay: a dropped chunk is
one that has no block in use once the journal is replayed, or equals the root's then; nobody reads
it earlier, for whoever mounts the filesystem replays the journal first, and the journal itself
is in use and stays.
"""

import numpy as np
from numpy.typing import NDArray

from liveos.errors import ProblemsFoundError
from liveos.formats.binary import ByteSource, ByteStore
from liveos.formats.exception_store import ExceptionStore, read_store
from liveos.formats.exception_store.compacting import relocate, renew
from liveos.formats.exception_store.edit import drop
from liveos.formats.exception_store.writable import WritableView
from liveos.formats.ext4.journal_file import open_journal
from liveos.formats.ext4.superblock import SUPERBLOCK_OFFSET, Superblock
from liveos.host.folder import FolderFile
from liveos.medium.overlay.faults import RecordFaults
from liveos.medium.overlay.view import Chunks, OverlayView
from liveos.operations.overlay.compaction import Compaction
from liveos.operations.overlay.sound import damage_named, kept_from_others
from liveos.operations.overlay.steps import CompactInPlace
from liveos.report import Reporter


def compact_in_place(step: CompactInPlace, reporter: Reporter) -> None:
    place = step.subject.place
    with damage_named(place), kept_from_others(place):
        with step.subject.opened() as overlay:
            compaction = Compaction.of(overlay, reporter.progress)
            with place.open(writable=True) as device:
                compact(compaction, overlay.need_origin_bytes(), device, reporter)
        _resize(place, step.size)


def compact(
    compaction: Compaction, origin: ByteSource, device: ByteStore, reporter: Reporter
) -> None:
    """Compact the store on ``device``, of which ``compaction`` knows everything.

    :raises ProblemsFoundError: the list that is read in the end is not the one that was meant.
    """
    total = len(compaction.live) * compaction.geometry.chunk_size
    last = _superblock_chunks(compaction.view) if compaction.replays else ()
    # Until the replay is done, the superblocks must say that it is not.
    _keep_only(device, compaction.store, np.union1d(compaction.live, last))
    store = relocate(
        device, read_store(device), lambda done: reporter.progress(min(done, total), total)
    )
    if compaction.replays:
        _replay(device, store, origin, compaction.live, last)
        _keep_only(device, read_store(device), compaction.live)
        relocate(device, read_store(device))
    left = read_store(device)
    if not np.array_equal(np.sort(left.old), compaction.live):
        raise ProblemsFoundError(
            "the store was read again, and its records are not what was written",
            hint="the disk is failing: do not use it, and copy what is still there",
        )


def _keep_only(device: ByteStore, store: ExceptionStore, chunks: NDArray[np.integer]) -> None:
    """Drop the records of other chunks, and those that say again what an earlier one says."""
    stays = np.isin(store.old, chunks)
    stays[RecordFaults(store).repeated] = False
    drop(device, store, np.flatnonzero(~stays))


def _replay(
    device: ByteStore,
    store: ExceptionStore,
    origin: ByteSource,
    live: Chunks,
    last: tuple[int, ...],
) -> None:
    """Replay the journal by ordinary writes, those to live chunks only.

    As a mount does it: first everything but the two superblocks, in the chunks ``last``, which
    may be repeated after a cut; when that is durable, the filesystem's superblock, then the
    journal's. Each of these becomes durable at once, not sector by sector, for it has a sum over
    all of it.
    """
    view = OverlayView(store, device, origin)
    target = WritableView(origin, device, store)
    size = view.chunk_size
    for chunk in np.intersect1d(view.replayed, live).tolist():
        if chunk not in last:
            target.write_at(chunk * size, _content(view, chunk))
    target.flush()
    contents = {chunk: _content(view, chunk) for chunk in last}
    for chunk, data in contents.items():
        if chunk in target.store.old:
            target = WritableView(origin, device, renew(device, target.store, chunk, data))
        else:
            target.write_at(chunk * size, data)
            target.flush()


def _superblock_chunks(view: OverlayView) -> tuple[int, ...]:
    """The chunks of the filesystem's superblock, then those of the journal's, each once."""
    superblock = Superblock.checked(view.merged)
    journal = open_journal(view.merged, superblock)
    assert journal is not None
    size = superblock.block_size
    places = (SUPERBLOCK_OFFSET // size * size, journal.superblock_offset // size * size)
    chunks = [
        chunk
        for start in places
        for chunk in range(start // view.chunk_size, -(-(start + size) // view.chunk_size))
    ]
    return tuple(dict.fromkeys(chunks))


def _content(view: OverlayView, chunk: int) -> bytes:
    start = chunk * view.chunk_size
    return view.content.read_at(start, min(view.chunk_size, view.merged.size - start))


def _resize(place: FolderFile, size: int) -> None:
    with place.open() as file:
        present = file.size
    if present != size:
        place.folder.resize(place.name, size)
