# SPDX-License-Identifier: Apache-2.0
"""A store without what it holds in vain, written anew."""

from liveos.errors import RefusedError
from liveos.host.folders.folder import DescriptorFile
from liveos.host.folders.new_file import new_file
from liveos.host.folders.write_behind import WriteBehind
from liveos.medium.overlay.locate import OpenOverlay
from liveos.operations.overlay.compaction import Compaction
from liveos.operations.overlay.rewriting import write_compacted
from liveos.operations.overlay.sound import damage_named, kept_from_others
from liveos.operations.steps.overlay import COMPACTED, CompactStore
from liveos.report import Reporter


def compact_store(step: CompactStore, reporter: Reporter) -> None:
    """The store at the place is the old one until the new one is durable and was read again."""
    place = step.subject.place
    with (
        damage_named(place),
        kept_from_others(place, reading=step.output is not None),
        step.subject.opened() as overlay,
    ):
        if step.output is not None:
            _write_file(step, overlay, reporter)
        else:
            _replace(step, overlay, reporter)


def _write_file(step: CompactStore, overlay: OpenOverlay, reporter: Reporter) -> None:
    assert step.output is not None
    compaction = _looked_at(step, overlay)
    with (
        new_file(step.output, step.size, replaces=step.replaces) as descriptor,
        WriteBehind(DescriptorFile(descriptor, step.size), descriptor) as file,
    ):
        write_compacted(compaction, file, reporter.progress)


def _replace(step: CompactStore, overlay: OpenOverlay, reporter: Reporter) -> None:
    place = step.subject.place
    new = place.beside(COMPACTED)
    if step.leftover:
        place.folder.remove(new.name)
    compaction = _looked_at(step, overlay)
    geometry = compaction.geometry
    room = geometry.chunks_for(len(compaction.live)) * geometry.chunk_size
    with place.folder.create(new.name, step.size, room=room) as file:
        write_compacted(compaction, file, reporter.progress)
    place.folder.replace(new.name, place.name, step.keep)


def _looked_at(step: CompactStore, overlay: OpenOverlay) -> Compaction:
    """The store's chunks; compared with the root beforehand only where room is scarce.

    :raises RefusedError: the store has grown since the plan was made.
    """
    compaction = Compaction.of(overlay, compare=False)
    if _fits(step, compaction):
        return compaction
    compaction = Compaction.of(overlay)
    if not _fits(step, compaction):
        raise RefusedError(f"{step.subject} has changed since the plan was made", hint="plan again")
    return compaction


def _fits(step: CompactStore, compaction: Compaction) -> bool:
    geometry = compaction.geometry
    chunks = geometry.chunks_for(len(compaction.live))
    roomy = step.output is not None or (
        chunks * geometry.chunk_size <= step.subject.place.folder.free()
    )
    return roomy and chunks <= geometry.chunks_in(step.size)
