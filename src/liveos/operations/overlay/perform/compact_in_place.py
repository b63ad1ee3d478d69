# SPDX-License-Identifier: Apache-2.0
"""A store without what it holds in vain, where there is no room for a second one.

The order: dead records are dropped, the rest is moved together, the journal is replayed into the
room that this gives. Dropping comes first because a full store, whose filesystem always needs
recovery, has no room for what a replay adds. It is safe before the replay: a dropped chunk is
one that has no block in use once the journal is replayed, or equals the root's then; nobody reads
it earlier, for whoever mounts the filesystem replays the journal first, and the journal itself
is in use and stays.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from liveos.errors import ProblemsFoundError
from liveos.formats.binary import ByteSource, ByteStore
from liveos.formats.exception_store import ExceptionStore, read_store
from liveos.formats.exception_store.compacting import relocate, renew
from liveos.formats.exception_store.edit import drop
from liveos.formats.exception_store.writable import WritableView
from liveos.formats.ext4.journal import JournalError
from liveos.formats.ext4.journal_file import open_journal
from liveos.formats.ext4.superblock import SUPERBLOCK_OFFSET, Incompat, Superblock
from liveos.host.folders.folder import FolderFile
from liveos.medium.overlay.faults import RecordFaults
from liveos.medium.overlay.view import Chunks, OverlayView
from liveos.operations.overlay.compaction import Compaction
from liveos.operations.overlay.sound import damage_named, kept_from_others
from liveos.operations.steps.overlay import CompactInPlace
from liveos.report import Reporter

_SUPERBLOCK_SIZE = 1024  # of ext4 and of jbd2


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
    last = _Superblocks.of(compaction.view) if compaction.replays else _Superblocks()
    # Until the replay is done, the superblocks must say that it is not.
    kept = np.union1d(compaction.live, last.filesystem + last.journal)
    _keep_only(device, compaction.store, kept)
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
    if not stays.all():
        drop(device, store, np.flatnonzero(~stays))


@dataclass(frozen=True, slots=True)
class _Superblocks:
    """The chunks with the filesystem's superblock, and those with the journal's.

    Where chunks are so large that one has both, it counts as the journal's.
    """

    filesystem: tuple[int, ...] = ()
    journal: tuple[int, ...] = ()

    @classmethod
    def of(cls, view: OverlayView) -> "_Superblocks":
        superblock = Superblock.checked(view.merged)
        journal = open_journal(view.merged, superblock)
        if journal is None:
            raise JournalError("the filesystem needs recovery, but has no journal")
        of_journal = _chunks(view, journal.superblock_offset)
        of_filesystem = _chunks(view, SUPERBLOCK_OFFSET)
        return cls(tuple(each for each in of_filesystem if each not in of_journal), of_journal)


def _chunks(view: OverlayView, offset: int) -> tuple[int, ...]:
    end = offset + _SUPERBLOCK_SIZE
    return tuple(range(offset // view.chunk_size, -(-end // view.chunk_size)))


def _replay(
    device: ByteStore,
    store: ExceptionStore,
    origin: ByteSource,
    live: Chunks,
    last: _Superblocks,
) -> None:
    """Replay the journal by ordinary writes, those to live chunks only.

    In jbd2's order: first everything but the superblocks, which may be repeated after a cut; when
    that is durable, the filesystem's superblock, which still asks for recovery, then the empty
    journal's, then the filesystem's as it stays. Each of these becomes durable at once, not
    sector by sector, for it has a sum over all of it.
    """
    view = OverlayView(store, device, origin)
    wanted = np.setdiff1d(np.intersect1d(view.replayed, live), last.filesystem + last.journal)
    target = WritableView(origin, device, store)
    for chunk in wanted.tolist():
        target.write_at(chunk * view.chunk_size, _content(view, chunk))
    target.flush()
    final = {chunk: _content(view, chunk) for chunk in last.filesystem + last.journal}
    stages = [
        *((chunk, _asking(final[chunk], chunk * view.chunk_size)) for chunk in last.filesystem),
        *((chunk, final[chunk]) for chunk in last.journal),
        *((chunk, final[chunk]) for chunk in last.filesystem),
    ]
    for chunk, data in stages:
        target = _exchange(device, origin, target, chunk, data)


def _exchange(
    device: ByteStore, origin: ByteSource, target: WritableView, chunk: int, data: bytes
) -> WritableView:
    """Give a chunk of the view new contents, all at once and durably."""
    if chunk in target.store.old:
        return WritableView(origin, device, renew(device, target.store, chunk, data))
    target.write_at(chunk * target.store.geometry.chunk_size, data)
    target.flush()
    return target


def _asking(data: bytes, offset: int) -> bytes:
    """A chunk at ``offset`` with the superblock in it, which asks for recovery then."""
    start = SUPERBLOCK_OFFSET - offset
    if start < 0 or start + _SUPERBLOCK_SIZE > len(data):
        return data  # chunks of a sector: the superblock is in several of them
    superblock = Superblock.unpack(data, start)
    asking = replace(superblock, incompat=superblock.incompat | Incompat.needs_recovery).sealed()
    return data[:start] + asking.pack() + data[start + _SUPERBLOCK_SIZE :]


def _content(view: OverlayView, chunk: int) -> bytes:
    start = chunk * view.chunk_size
    return view.content.read_at(start, min(view.chunk_size, view.merged.size - start))


def _resize(place: FolderFile, size: int) -> None:
    with place.open() as file:
        present = file.size
    if present != size:
        place.folder.resize(place.name, size)
