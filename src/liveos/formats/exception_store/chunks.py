# SPDX-License-Identifier: Apache-2.0
"""Many chunks of a source at once, in as few reads as their places allow."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource, read_into

# What is read in vain sooner than with another read: so many bytes, or chunks if that is less.
_GAP = 16 << 10
_GAP_CHUNKS = 4


def read_chunks(
    source: ByteSource, numbers: NDArray[np.unsignedinteger], chunk_size: int
) -> NDArray[np.uint8]:
    """A row of ``chunk_size`` bytes for each of ``numbers``, which may be in any order.

    :raises TruncatedError: a chunk does not lie wholly in the source.
    """
    rows = np.empty((len(numbers), chunk_size), np.uint8)
    read_chunks_into(rows, source, numbers)
    return rows


def read_chunks_into(
    rows: NDArray[np.uint8], source: ByteSource, numbers: NDArray[np.unsignedinteger]
) -> None:
    """Fill ``rows`` with the chunks ``numbers``, which may be in any order.

    The source is read once from its beginning towards its end, straight into the rows where
    neighbours there are neighbours in the source. For others, as much memory is taken as they
    fill with the gaps between them: five times as much at most.

    :raises TruncatedError: a chunk does not lie wholly in the source.
    """
    if not len(numbers):
        return
    chunk_size = rows.shape[1]
    order = np.argsort(numbers, kind="stable")
    places = numbers[order].astype(np.int64)
    steps = np.diff(places)
    neighbours = (steps == 1) & (np.diff(order) == 1)
    breaks = np.flatnonzero(steps > 1 + min(_GAP // chunk_size, _GAP_CHUNKS)) + 1
    for first, end in pairwise([0, *breaks.tolist(), len(places)]):
        start, stop = int(places[first]), int(places[end - 1]) + 1
        if neighbours[first : end - 1].all():
            run = rows[order[first] : order[end - 1] + 1]
            read_into(source, start * chunk_size, run.data.cast("B"))
            continue
        data = source.read_at(start * chunk_size, (stop - start) * chunk_size)
        span = np.frombuffer(data, np.uint8).reshape(-1, chunk_size)
        rows[order[first:end]] = span[places[first:end] - start]
