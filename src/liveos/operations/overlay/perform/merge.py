# SPDX-License-Identifier: Apache-2.0
"""The root with its changes: written to a new file, or in place of the root."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource
from liveos.formats.exception_store import ExceptionStore, MergedView
from liveos.formats.exception_store.merging import composed, data_runs, merge_into_origin
from liveos.formats.ext4.replay import recover
from liveos.host.folder import HostFolder
from liveos.host.new_file import clone, data_ranges, new_file
from liveos.host.transfer import PIECE, DurableWriter, ReadAhead
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.origin import Origin
from liveos.operations.overlay.sound import (
    damage_named,
    kept_from_others,
    require_pair,
    sound_store,
)
from liveos.operations.overlay.steps import MergeInPlace, WriteMerged
from liveos.report import Reporter


def write_merged(step: WriteMerged, reporter: Reporter) -> None:
    """What the kernel shows, byte for byte, with holes where there are zeros."""
    subject = step.subject
    with (
        damage_named(subject),
        kept_from_others(subject.place, reading=True),
        subject.opened() as overlay,
    ):
        parts = _Parts.of(overlay)
        with new_file(step.output, parts.view.size, replaces=step.replaces) as descriptor:
            target = _Target(descriptor, reporter)
            with target.writer:
                if parts.path is not None and clone(parts.path, descriptor, parts.view.size):
                    target.write_all(parts.exceptions())
                else:
                    target.write_all(parts.windows())
                if step.replay:
                    target.write_all(parts.replayed())
                target.writer.finish()


def merge_in_place(step: MergeInPlace, reporter: Reporter) -> None:
    """What the kernel's snapshot-merge leaves; a run that was cut off is taken up again."""
    subject = step.subject
    with (
        damage_named(subject),
        kept_from_others(subject.place, step.origin),
        subject.opened() as overlay,
        subject.place.open(writable=True) as device,
        step.origin.open(writable=True) as origin,
    ):
        store = _Parts.of(overlay).store
        total = store.count * store.geometry.chunk_size
        merge_into_origin(
            origin, device, store, progress=lambda done: reporter.progress(done, total)
        )


class _Target:
    """A file that is written in pieces; what is reported is what has reached its disk."""

    def __init__(self, descriptor: int, reporter: Reporter) -> None:
        self.writer = DurableWriter(descriptor, lambda done: reporter.progress(done, None))

    def write_all(self, parts: Iterator[tuple[int, bytes]]) -> None:
        for offset, data in parts:
            self.writer.write(offset, data)


def _path_of(origin: Origin) -> Path | None:
    """The origin's bytes as a file of the host, which may have holes and be cloned."""
    if origin.place is None or not isinstance(origin.place.folder, HostFolder):
        return None
    return origin.place.folder.directory / origin.place.name


@dataclass(frozen=True)
class _Parts:
    """What a merged root is composed of. ``path`` is the origin where it is a file of the host."""

    origin: ByteSource
    device: ByteSource
    store: ExceptionStore
    view: MergedView
    path: Path | None

    @classmethod
    def of(cls, overlay: OpenOverlay) -> "_Parts":
        origin, device = overlay.need_origin_bytes(), overlay.need_store()
        store = sound_store(overlay)
        view = MergedView(origin, store, device)
        require_pair(overlay, view)
        return cls(origin, device, store, view, _path_of(overlay.need_origin()))

    def exceptions(self) -> Iterator[tuple[int, bytes]]:
        """Everything that the store has, for a target that has the rest."""
        for piece in self.view.pieces(0, self.view.size):
            for start in range(0, piece.length if piece.stored else 0, PIECE):
                length = min(PIECE, piece.length - start)
                yield piece.offset + start, self.device.read_at(piece.source_offset + start, length)

    def windows(self) -> Iterator[tuple[int, bytes]]:
        """Everything that is no hole and not zero, for a target that is empty."""
        with ReadAhead(_Composed(self)) as view:
            for window in np.flatnonzero(self._filled()).tolist():
                offset = window * PIECE
                data = view.read_at(offset, min(PIECE, view.size - offset))
                for start, stop in data_runs(data):
                    yield offset + start, data[start:stop]

    def replayed(self) -> Iterator[tuple[int, bytes]]:
        """The blocks that the journal changes."""
        recovered = recover(self.view)
        size = recovered.block_size
        for block in recovered.changed_blocks.tolist():
            yield block * size, recovered.read_at(block * size, size)

    def _filled(self) -> NDArray[np.bool_]:
        """Which windows hold anything, as far as the filesystem of the origin can tell."""
        filled = np.ones(-(-self.view.size // PIECE), np.bool_)
        if self.path is not None:
            filled[:] = False
            for start, stop in data_ranges(self.path):
                filled[start // PIECE : -(-stop // PIECE)] = True
            chunk = self.store.geometry.chunk_size
            starts = self.store.old.astype(np.int64) * chunk
            for offset in range(0, chunk, PIECE):
                inside = starts[starts + offset < self.view.size]
                filled[(inside + offset) // PIECE] = True
        return filled


@dataclass(frozen=True)
class _Composed:
    """The view as a source that reads its origin once for each range."""

    parts: _Parts

    @property
    def size(self) -> int:
        return self.parts.view.size

    def read_at(self, offset: int, length: int) -> bytes:
        parts = self.parts
        return composed(parts.view, parts.origin, parts.device, offset, length)
