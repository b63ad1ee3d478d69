# SPDX-License-Identifier: Apache-2.0
"""Many chunks of a source at once, in as few reads as their places allow."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource

# What is read in vain sooner than with another read: so many bytes, or chunks if that is less.
_GAP = 16 << 10
_GAP_CHUNKS = 4


def read_chunks(
    source: ByteSource, numbers: NDArray[np.unsignedinteger], chunk_size: int
) -> NDArray[np.uint8]:
    """A row of ``chunk_size`` bytes for each of ``numbers``, which may be in any order.

    The source is read once from its beginning towards its end. Besides the rows, as much memory
    is taken as neighbours with their gaps fill: five times as much at most.

    :raises TruncatedError: a chunk does not lie wholly in the source.
    """
    rows = np.empty((len(numbers), chunk_size), np.uint8)
    if not len(numbers):
        return rows
    order = np.argsort(numbers, kind="stable")
    places = numbers[order].astype(np.int64)
    gap = min(_GAP // chunk_size, _GAP_CHUNKS)
    breaks = np.flatnonzero(np.diff(places) > 1 + gap) + 1
    for first, end in pairwise([0, *breaks.tolist(), len(places)]):
        start, stop = int(places[first]), int(places[end - 1]) + 1
        data = source.read_at(start * chunk_size, (stop - start) * chunk_size)
        span = np.frombuffer(data, np.uint8).reshape(-1, chunk_size)
        rows[order[first:end]] = span if len(span) == 1 else span[places[first:end] - start]
    return rows
