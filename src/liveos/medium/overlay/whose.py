# SPDX-License-Identifier: Apache-2.0
"""Which files parts of a view belong to, as far as its filesystem can tell."""

from collections.abc import Iterable

import numpy as np

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.ext4.owners import owners, paths
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.replay import recover


def files_with(view: ByteSource, chunks: Iterable[int], chunk_size: int) -> tuple[str, ...]:
    """The paths of files and directories that have blocks in these chunks, sorted.

    Nothing, where the filesystem is none of ext, or too damaged to tell.
    """
    try:
        fs = Ext4(recover(view))
        whose = owners(fs).inode
        size = fs.superblock.block_size
        blocks = {
            block
            for chunk in chunks
            for block in range(chunk * chunk_size // size, -(-(chunk + 1) * chunk_size // size))
            if block < len(whose)
        }
        numbers = np.unique(whose[sorted(blocks)]).tolist()
        return tuple(sorted(paths(fs, {number for number in numbers if number}).values()))
    except FormatError:
        return ()
