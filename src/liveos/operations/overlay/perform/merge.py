# SPDX-License-Identifier: Apache-2.0
"""The root with its changes: written to a new file, or in place of the root."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from liveos.formats.binary import ByteSource
from liveos.formats.exception_store import ExceptionStore, MergedView
from liveos.formats.exception_store.merging import composed, data_runs, merge_into_origin
from liveos.formats.ext4.replay import recover
from liveos.host import disk
from liveos.host.folders.folder import HostFolder
from liveos.host.folders.new_file import clone, data_ranges, new_file, read_into
from liveos.host.transfer import PIECE, DurableWriter, ReadAhead
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.origin import Origin
from liveos.operations.overlay.sound import (
    damage_named,
    kept_from_others,
    require_pair,
    sound_store,
)
from liveos.operations.steps.overlay import MergeInPlace, WriteMerged
from liveos.report import Reporter

Buffer = bytes | memoryview


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
                if parts.path is None:
                    target.write_all(parts.windows())
                elif clone(parts.path, descriptor, parts.view.size):
                    target.write_all(parts.exceptions())
                else:
                    target.write_all(parts.unchanged(parts.path))
                    target.write_all(_without_zeros(parts.exceptions()))
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

    def write_all(self, parts: Iterable[tuple[int, Buffer]]) -> None:
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

    def windows(self) -> Iterator[tuple[int, Buffer]]:
        """Everything that is not zero, for a target that is empty."""
        with ReadAhead(_Composed(self)) as view:
            read = (
                (offset, view.read_at(offset, min(PIECE, view.size - offset)))
                for offset in range(0, view.size, PIECE)
            )
            yield from _without_zeros(read)

    def unchanged(self, path: Path) -> Iterator[tuple[int, Buffer]]:
        """What the view has from its origin, a file of the host, and is no hole and not zero.

        Each piece must be used before the next is asked for.
        """
        buffer = memoryview(bytearray(PIECE))
        with disk.opened(path, os.O_RDONLY) as origin:
            for offset, length in self._places(path):
                part = buffer[:length]
                read_into(origin, part, offset)
                yield from _without_zeros([(offset, part)])

    def _places(self, path: Path) -> Iterator[tuple[int, int]]:
        for start, stop in data_ranges(path):
            begin, end = min(start, self.view.size), min(stop, self.view.size)
            for piece in self.view.pieces(begin, end - begin):
                for done in range(0, 0 if piece.stored else piece.length, PIECE):
                    yield piece.offset + done, min(PIECE, piece.length - done)

    def replayed(self) -> Iterator[tuple[int, bytes]]:
        """The blocks that the journal changes."""
        recovered = recover(self.view)
        size = recovered.block_size
        for block in recovered.changed_blocks.tolist():
            yield block * size, recovered.read_at(block * size, size)


def _without_zeros(parts: Iterable[tuple[int, Buffer]]) -> Iterator[tuple[int, Buffer]]:
    """The same (offset, bytes) without blocks of zeros, which become holes."""
    for offset, data in parts:
        whole = memoryview(data)
        for start, stop in data_runs(whole):
            yield offset + start, whole[start:stop]


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
