# SPDX-License-Identifier: Apache-2.0
"""Stores as they are recorded, in texts and packs; and what can be read of a store to record it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from liveos.errors import UnsupportedError, UsageError
from liveos.formats.binary import ByteSource, FileSource, FormatError, MemorySource
from liveos.formats.exception_store import (
    LIVEOS_CHUNK_SECTORS,
    ExceptionStore,
    Geometry,
    Header,
    Span,
    is_pack,
    metadata_spans,
    read_header,
    read_pack,
    read_store,
)
from liveos.formats.exception_store.spans import SpannedSource, spans_for
from liveos.formats.exception_store.text_reader import is_text, read_text
from liveos.medium.overlay.check import Level, check_store, infer_header
from liveos.report import Finding


@dataclass(frozen=True)
class Legible:
    """What can be read of a store: its list, where that lies, and what is wrong with it."""

    store: ExceptionStore
    spans: tuple[Span, ...]
    findings: tuple[Finding, ...]


def read_legible(source: ByteSource) -> Legible:
    """A store by its header, or by the one that its records show; a blank one is empty.

    :raises FormatError: neither shows a list.
    """
    checked = check_store(source, level=Level.LIST)
    findings, store = checked.findings, checked.store
    header = read_header(source)
    try:
        header.geometry()
    except FormatError:
        shown = infer_header(source)
        if shown is None:
            return _headless(source, header, findings)
        header = shown
    if store is None:
        store = read_store(source, header=header)
    return Legible(store, metadata_spans(store), findings)


def is_recording(source: ByteSource) -> bool:
    """Whether the source is a text or a pack, by its first bytes."""
    return is_pack(source) or is_text(source)


def read_recording(source: ByteSource) -> SpannedSource:
    """A text or a pack as the store that it was made of, whose data read as zeros.

    :raises FormatError: it is neither, or damaged.
    """
    if is_pack(source):
        return read_pack(source)
    if is_text(source):
        return read_text(source)
    raise FormatError("neither the text of a store nor a pack")


@contextmanager
def open_recording(path: Path) -> Iterator[tuple[SpannedSource, ByteSource]]:
    """A text or a pack in a file: the store that it was made of, and the file's own bytes.

    :raises UnsupportedError: it is neither, or damaged.
    """
    if not path.exists() or path.is_dir():
        what = "this is a directory" if path.is_dir() else "there is no such file"
        raise UsageError(f"{path}: {what}", hint="name what overlay dump or pack has written")
    with FileSource(path) as file:
        try:
            recording = read_recording(file)
        except FormatError as error:
            hint = "liveos overlay dump and liveos overlay pack make what can be restored"
            raise UnsupportedError(f"{path}: {error}", hint=hint) from error
        yield recording, file


def _headless(source: ByteSource, header: Header, findings: tuple[Finding, ...]) -> Legible:
    """A blank store has no list; of anything else nothing can be said."""
    if not header.is_blank:
        header.geometry()
    geometry = Geometry(LIVEOS_CHUNK_SECTORS)
    nothing = SpannedSource(source.size, (), MemorySource(b""))
    store = read_store(nothing, header=Header.new(geometry))
    return Legible(store, spans_for(geometry, source.size, 0)[:1], findings)
