# SPDX-License-Identifier: Apache-2.0
"""Repairing a store: tried in memory, checked, and only then written."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from liveos.errors import ProblemsFoundError
from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store import Span, metadata_spans, read_store, write_pack
from liveos.formats.exception_store.trial import Trial
from liveos.formats.ext4.journal_file import open_journal
from liveos.formats.ext4.superblock import SUPERBLOCK_OFFSET, Superblock
from liveos.host.folders.folder import DescriptorFile, FolderFile
from liveos.host.folders.new_file import new_file, write_stream
from liveos.medium.overlay.filesystem_check import (
    Corrections,
    FilesystemCheck,
    check_filesystem,
)
from liveos.operations.overlay.mend import Mended
from liveos.operations.overlay.mending import Mending, decide
from liveos.operations.overlay.perform.resize import resize
from liveos.operations.overlay.perform.restore import copy_data
from liveos.operations.overlay.sound import damage_named, kept_from_others
from liveos.operations.steps.overlay import RepairStore
from liveos.report import Reporter

_PIECE = 1 << 20
_SUPERBLOCK = 1024


def repair_store(step: RepairStore, reporter: Reporter) -> None:
    """Carry a repair out.

    :raises ProblemsFoundError: the list is mended, but the filesystem needs more than was allowed.
    """
    place = step.subject.place
    with (
        damage_named(step.subject),
        kept_from_others(place, reading=step.output is not None),
        step.subject.opened() as overlay,
    ):
        source = overlay.need_store()
        origin = overlay.origin.source if overlay.origin is not None else None
        size = None if origin is None else origin.size
        mending = decide(source, size, step.choices)
        mended = Mended(source, mending)
        said = None
        if origin is not None and step.corrections is not None:
            said = mend_filesystem(mended, origin, step.corrections, reporter)
        mended.finish(size)
        if step.output is not None:
            _write_new(step.output, mended, reporter, replaces=step.replaces)
        elif mended.writes:
            assert step.undo is not None
            _save_undo(step.undo, source, mended, mending)
            carry_out(mended, place, source.size)
    if said is not None:
        _report(said, reporter)


def mend_filesystem(
    mended: Mended, origin: ByteSource, corrections: Corrections, reporter: Reporter
) -> FilesystemCheck:
    """Replay the journal of the view and let e2fsck correct it; both become exceptions.

    A cut of the writes in place leaves a journal that is replayed again, whatever was written.
    What e2fsck corrects is like what it writes itself: cut off, it has to run again.
    """
    view = mended.view(origin)
    said = check_filesystem(view, reporter, corrections)
    shown = Trial(said.recovered or view)
    block_size = Superblock.checked(view).block_size
    blocks = set(said.corrections)
    for block, data in said.corrections.items():
        shown.write_at(block * block_size, data[: shown.size - block * block_size])
    if said.recovered is not None:
        blocks.update(said.recovered.changed_blocks.tolist())
    size = mended.chunk_size
    touched = _chunks_of(((block * block_size, block_size) for block in blocks), size)
    chunks = {}
    for chunk in sorted(touched):
        room = min(size, view.size - chunk * size)
        content = shown.read_at(chunk * size, room)
        if content != view.read_at(chunk * size, room):
            chunks[chunk] = content
    # What says that the journal is done with must not be there before what was in it.
    last = _chunks_of(((place, _SUPERBLOCK) for place in _superblocks(view)), size)
    mended.write_view(chunks, last, origin)
    return said


def carry_out(mended: Mended, place: FolderFile, before: int) -> None:
    """Make the changes of a repair in a store of ``before`` bytes."""
    with place.open(writable=True) as store:
        mended.first.carry_out(store)
    if mended.size != before:
        resize(place, before, mended.size)
    with place.open(writable=True) as store:
        mended.second.carry_out(store)


def _write_new(path: Path, mended: Mended, reporter: Reporter, *, replaces: bool) -> None:
    """The repaired store as a new file, with the data of its records and nothing else."""
    source = mended.second
    store = read_store(source)
    with new_file(path, source.size, replaces=replaces) as descriptor:
        sink = DescriptorFile(descriptor, source.size)
        copy_data(sink, store, source, reporter)
        for span in metadata_spans(store):
            for offset, length in span.pieces():
                for start in range(offset, offset + length, _PIECE):
                    size = min(_PIECE, offset + length - start)
                    sink.write_at(start, source.read_at(start, size))


def _save_undo(path: Path, source: ByteSource, mended: Mended, mending: Mending) -> None:
    """What will be overwritten, and the list, as a pack that ``overlay restore`` puts back.

    It is one of the store with its new size, which stays.
    """
    before = Trial(source, mended.size)
    spans = _joined(
        metadata_spans(mending.store), mended.first.overwritten(), mended.second.overwritten()
    )
    with new_file(path, 0) as descriptor:
        write_stream(descriptor, write_pack(before, spans))


def _joined(*groups: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in order that hold what all of these do."""
    pieces = sorted(
        (offset, offset + length)
        for group in groups
        for span in group
        for offset, length in span.pieces()
    )
    joined: list[tuple[int, int]] = []
    for low, high in pieces:
        if joined and low <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], high)
        else:
            joined.append((low, high))
    return tuple(Span.single(low, high - low) for low, high in joined)


def _superblocks(view: ByteSource) -> Iterator[int]:
    """Where the filesystem's and its journal's superblocks lie, in bytes."""
    yield SUPERBLOCK_OFFSET
    with suppress(FormatError):
        journal = open_journal(view, Superblock.checked(view))
        if journal is not None:
            yield journal.superblock_offset


def _chunks_of(ranges: Iterable[tuple[int, int]], size: int) -> set[int]:
    """The chunks in which (offset, length) lie."""
    return {
        chunk
        for offset, length in ranges
        for chunk in range(offset // size, -(-(offset + length) // size))
    }


def _report(said: FilesystemCheck, reporter: Reporter) -> None:
    for finding in said.findings:
        reporter.finding(finding)
    left = [finding for finding in said.findings if finding.code == "F1"]
    if left:
        raise ProblemsFoundError(
            f"the list is repaired, but not all of the filesystem: {left[0].message}",
            hint="add --fsck-all to let e2fsck correct everything, which may cost damaged files",
        )
