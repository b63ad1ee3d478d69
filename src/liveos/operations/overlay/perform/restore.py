# SPDX-License-Identifier: Apache-2.0
"""Making stores of dumps and packs again: as new files, or back into the store."""

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray

from liveos.errors import ProblemsFoundError, UnsupportedError
from liveos.formats.binary import ByteSink, ByteSource
from liveos.formats.exception_store import (
    FIRST_DATA_CHUNK,
    LIVEOS_CHUNK_SECTORS,
    SECTOR,
    ExceptionStore,
    Geometry,
    Header,
)
from liveos.formats.exception_store.spans import SpannedSource
from liveos.formats.exception_store.text import sum_of_run
from liveos.formats.exception_store.text_reader import is_text, read_sums
from liveos.host.folders.folder import DescriptorFile, StoredFile
from liveos.host.folders.new_file import new_file
from liveos.medium.overlay.recording import open_recording, read_legible
from liveos.operations.overlay.sound import damage_named, kept_from_others
from liveos.operations.steps.overlay import RestoreInto, RestoreNew
from liveos.report import Reporter

_PIECE = 1 << 20
# What a store is while it is being changed: the kernel looks at nothing else of it then.
_DEAD = Header.new(Geometry(LIVEOS_CHUNK_SECTORS), valid=False).pack().ljust(SECTOR, b"\0")


def restore_new(step: RestoreNew, reporter: Reporter) -> None:
    """The metadata of a recording in a new file, with the data of another store if one is named."""
    with (
        open_recording(step.recording) as (recording, file),
        new_file(step.output, recording.size, replaces=step.replaces) as descriptor,
        step.data.opened() if step.data else nullcontext() as overlay,
        damage_named(step.data or step.recording),
    ):
        sink = DescriptorFile(descriptor, recording.size)
        if overlay is not None:
            data, store = overlay.need_store(), read_legible(recording).store
            compare_sums(file, store.geometry.chunk_size, data)
            copy_data(sink, store, data, reporter)
        for offset, content in kept_pieces(recording):
            if any(content):
                sink.write_at(offset, content)


def restore_into(step: RestoreInto) -> None:
    """The metadata of a recording in the store that it was made of, whose data are still there."""
    place = step.subject.place
    with (
        open_recording(step.recording) as (recording, file),
        kept_from_others(place),
        place.open(writable=True) as target,
        damage_named(step.recording),
    ):
        compare_sums(file, recording.spans[-1].length, target)
        put_back(target, recording)


def put_back(target: StoredFile, recording: SpannedSource) -> None:
    """Write what a recording holds, and nothing that is there already.

    A power cut leaves the old store or the new one if they differ in their first sector only;
    else also one that is marked invalid, which no kernel writes to, so that this can be done
    again. The first sector counts, so it comes first and last.
    """
    sector = recording.read_at(0, min(SECTOR, recording.size))
    if any(_differences(target, recording)):
        target.write_at(0, _DEAD[: len(sector)])
        target.flush()
        for offset, content in _differences(target, recording):
            target.write_at(offset, content)
        target.flush()
    target.write_at(0, sector)
    target.flush()


def copy_data(sink: ByteSink, store: ExceptionStore, data: ByteSource, reporter: Reporter) -> None:
    """The data chunks of all exceptions to where they are in ``data``; zeros become holes.

    Records that name no data chunk of the store have no data to copy.

    :raises UnsupportedError: ``data`` ends before them.
    """
    size = store.geometry.chunk_size
    chunks = _data_chunks(store)
    if len(chunks) and (int(chunks[-1]) + 1) * size > data.size:
        raise UnsupportedError(
            f"the exceptions have data up to byte {(int(chunks[-1]) + 1) * size}, and the store"
            f" that should have them ends at byte {data.size}"
        )
    breaks = np.flatnonzero(np.diff(chunks) != 1) + 1
    done, total = 0, len(chunks) * size
    for run in np.split(chunks, breaks) if len(chunks) else ():
        start, end = int(run[0]) * size, (int(run[-1]) + 1) * size
        for offset in range(start, end, _PIECE):
            content = data.read_at(offset, min(_PIECE, end - offset))
            if any(content):
                sink.write_at(offset, content)
            done += len(content)
            reporter.progress(done, total)


def compare_sums(text: ByteSource, chunk_size: int, data: ByteSource) -> None:
    """Where a text has sums of the data, they must be those of ``data``.

    :raises ProblemsFoundError: some are not.
    """
    if not is_text(text):
        return
    for run in read_sums(text):
        if sum_of_run(data, chunk_size, run.new, run.length) != run.sha256:
            raise ProblemsFoundError(
                f"the data in {run.length} chunks from chunk {run.new} on are not as in the dump",
                hint="they have been written since, or this is another store",
            )


def kept_pieces(recording: SpannedSource) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of everything that a recording holds, in pieces of at most 1 MiB."""
    for span in recording.spans:
        for offset, length in span.pieces():
            for start in range(offset, offset + length, _PIECE):
                yield start, recording.read_at(start, min(_PIECE, offset + length - start))


def _differences(target: ByteSource, recording: SpannedSource) -> Iterator[tuple[int, bytes]]:
    """What a recording holds and the target does not, but for the first sector."""
    for offset, content in kept_pieces(recording):
        skipped = max(0, SECTOR - offset)
        start, wanted = offset + skipped, content[skipped:]
        if wanted and target.read_at(start, len(wanted)) != wanted:
            yield start, wanted


def _data_chunks(store: ExceptionStore) -> NDArray[np.int64]:
    """The data chunks that records name, sorted, each once."""
    new, stride = store.new, store.geometry.stride
    sane = (new >= FIRST_DATA_CHUNK) & (new < store.chunks) & (new % stride != 1)
    return np.unique(new[sane]).astype(np.int64)
