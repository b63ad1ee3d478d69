# SPDX-License-Identifier: Apache-2.0
"""A store's metadata as text: JSON, one object a line, exact enough to make the same bytes again.

The first line has the header as it lies there and the layout that the list was read by; then
come the exceptions in the order of the list, neighbours in both columns as one run; what else is
not zero; and the number of lines, by which a text that was cut short is known::

    {"format":"liveos-exceptions","version":1,"size":2867200,"chunk_sectors":8,"header":
     {"magic":1883336275,"valid":1,"version":1,"chunk_sectors":8},"exceptions":9}   (one line)
    {"old":3,"new":2,"length":9}            also with "sha256": of the run's data
    {"slot":12,"old":777,"new":20}          a slot behind the end of the list
    {"at":512,"bytes":"00ff…"}              bytes behind the header, in its chunk
    {"lines":5}

`text_reader` reads it.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource
from liveos.formats.exception_store.geometry import RECORD
from liveos.formats.exception_store.header import Header, read_header
from liveos.formats.exception_store.reader import ExceptionStore
from liveos.formats.exception_store.spans import metadata_spans

FORMAT = "liveos-exceptions"
FORMAT_VERSION = 1
PADDING_PER_LINE = 512
HEADER_END = Header.layout().size
_RUN = '{"old":%d,"new":%d,"length":%d}\n'
_SUMMED_RUN = '{"old":%d,"new":%d,"length":%d,"sha256":%s}\n'
_WINDOW = 1 << 16
_PIECE = 1 << 20
_Column = NDArray[np.unsignedinteger]


def write_text(source: ByteSource, store: ExceptionStore, *, sums: bool = False) -> Iterator[str]:
    """The text of a store that was read from ``source``, in pieces of some lines.

    ``sums`` adds the SHA-256 of each run's data: null where they lie behind the store's end.
    """
    lines = 0
    for piece in _pieces(source, store, sums=sums):
        lines += piece.count("\n")
        yield piece
    yield _line(lines=lines + 1)


def runs_in_order(
    old: _Column, new: _Column, window: int = _WINDOW
) -> Iterator[tuple[_Column, _Column, NDArray[np.int64]]]:
    """(old, new, length) of neighbours in both columns, as columns of at most ``window`` runs."""
    start = 0
    for low in range(0, len(old), window):
        high = min(low + window, len(old))
        follows = _follows(old[low : high + 1]) & _follows(new[low : high + 1])
        ends = np.flatnonzero(~follows) + low + 1
        if high == len(old):
            ends = np.append(ends, high)
        starts = np.concatenate(([start], ends[:-1])) if len(ends) else ends
        yield old[starts], new[starts], ends - starts
        start = int(ends[-1]) if len(ends) else start


def _follows(column: _Column) -> NDArray[np.bool_]:
    """Whether each number but the first is the one before plus one; the largest has no next."""
    return np.asarray((column[1:] > column[:-1]) & (column[1:] - column[:-1] == 1))


def _pieces(source: ByteSource, store: ExceptionStore, *, sums: bool) -> Iterator[str]:
    yield _line(
        format=FORMAT,
        version=FORMAT_VERSION,
        size=store.size,
        chunk_sectors=store.geometry.chunk_sectors,
        header=asdict(read_header(source)),
        exceptions=store.count,
    )
    for old, new, length in runs_in_order(store.old, store.new):
        columns = zip(old.tolist(), new.tolist(), length.tolist(), strict=True)
        if sums:
            yield from (_summed(source, store, *run) for run in columns)
        else:
            numbers = [number for run in columns for number in run]
            yield _RUN * len(old) % tuple(numbers)
    yield from _behind_the_list(source, store)
    yield from _behind_the_header(source, store)


def _line(**members: object) -> str:
    return json.dumps(members, separators=(",", ":")) + "\n"


def _summed(source: ByteSource, store: ExceptionStore, old: int, new: int, length: int) -> str:
    digest = sum_of_run(source, store.geometry.chunk_size, new, length)
    return _SUMMED_RUN % (old, new, length, "null" if digest is None else f'"{digest}"')


def sum_of_run(source: ByteSource, chunk_size: int, new: int, length: int) -> str | None:
    """SHA-256 of ``length`` chunks of a store; None where it does not have all of them."""
    end = (new + length) * chunk_size
    if end > source.size:
        return None
    digest = hashlib.sha256()
    for offset in range(new * chunk_size, end, _PIECE):
        digest.update(source.read_at(offset, min(_PIECE, end - offset)))
    return digest.hexdigest()


def _behind_the_list(source: ByteSource, store: ExceptionStore) -> Iterator[str]:
    """The slots with anything in them behind the end of the list, in the area where it ends."""
    if store.tail.first is None:
        return
    geometry, slot_size = store.geometry, RECORD.itemsize
    area = store.count // geometry.slots_per_area
    start = geometry.area_chunk(area) * geometry.chunk_size
    first = area * geometry.slots_per_area
    for done in range(0, geometry.chunk_size, _PIECE):
        data = source.read_at(start + done, min(_PIECE, geometry.chunk_size - done))
        slots = np.frombuffer(data, RECORD)
        for index in np.flatnonzero(slots["old"] | slots["new"]).tolist():
            slot = first + done // slot_size + index
            if slot >= store.count:
                yield _line(slot=slot, old=int(slots["old"][index]), new=int(slots["new"][index]))


def _behind_the_header(source: ByteSource, store: ExceptionStore) -> Iterator[str]:
    end = metadata_spans(store)[0].length
    for offset in range(HEADER_END, end, PADDING_PER_LINE):
        data = source.read_at(offset, min(PADDING_PER_LINE, end - offset))
        if any(data):
            yield _line(at=offset, bytes=data.hex())
