# SPDX-License-Identifier: Apache-2.0
"""Filling a file of an unmounted filesystem that has others: in place, durable as it goes."""

from collections.abc import Iterator

from liveos.host.folders.folder import StoredFile
from liveos.operations.install.session import Session

_WINDOW = 128 << 20  # bytes after which what was written is made durable


def fill(file: StoredFile, data: Iterator[bytes], size: int, session: Session) -> None:
    """Write ``size`` bytes, but for zeros: the file reads as zeros where nothing is written."""
    offset = unsafe = 0
    for piece in data:
        if piece != bytes(len(piece)):  # unlike a count, this ends at the first byte
            file.write_at(offset, piece)
            unsafe += len(piece)
        offset += len(piece)
        if unsafe >= _WINDOW or offset == size:
            file.flush()
            unsafe = 0
            session.reporter.progress(offset, size)
        session.poll()
