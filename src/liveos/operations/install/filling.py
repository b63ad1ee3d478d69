# SPDX-License-Identifier: Apache-2.0
"""Filling a file of an unmounted filesystem that has others: in place, durable as it goes."""

import hashlib

from liveos.formats.binary import ByteSource
from liveos.host.folders.folder import StoredFile
from liveos.host.transfer import pieces
from liveos.operations.install.session import Session

_WINDOW = 128 << 20  # bytes after which what was written is made durable


def fill(file: StoredFile, source: ByteSource, session: Session) -> str:
    """Write what ``source`` has, but for zeros: the file reads as zeros where nothing is written.

    Returns the SHA-256 sum of what was read.
    """
    digest = hashlib.sha256()
    offset = unsafe = 0
    for piece in pieces(source, source.size):
        digest.update(piece)
        if any(piece):
            file.write_at(offset, piece)
            unsafe += len(piece)
        offset += len(piece)
        if unsafe >= _WINDOW or offset == source.size:
            file.flush()
            unsafe = 0
            session.reporter.progress(offset, source.size)
        session.poll()
    return digest.hexdigest()
