# SPDX-License-Identifier: Apache-2.0
"""The plan of ``overlay compact`` (reference 4)."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from liveos.errors import NoSpaceError, RefusedError, UnsupportedError
from liveos.host.folders.folder import HostFolder, already_there
from liveos.host.folders.new_file import part_of
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.fates import Fate
from liveos.medium.overlay.locate import OpenOverlay
from liveos.operations.overlay.compaction import Compaction, Progress
from liveos.operations.plan import Plan
from liveos.operations.steps.overlay import COMPACTED, CompactInPlace, CompactStore, Subject
from liveos.sizes import format_size

_BACKUP = ".bak"
# Both superblocks are exchanged by way of a free chunk.
_REPLAY_SPARE = 2


@dataclass(frozen=True, slots=True)
class CompactRequest:
    """How a store is compacted. ``size`` None keeps its size.

    ``output`` makes a new store there and leaves the old one; ``in_place`` needs no room.
    """

    output: Path | None = None
    in_place: bool = False
    size: int | None = None
    keep_backup: bool = False
    force: bool = False


def look_and_plan(
    overlay: OpenOverlay,
    subject: Subject,
    request: CompactRequest,
    progress: Progress,
    *,
    exact: bool,
) -> Plan:
    """A plan from facts that are as exact as is needed.

    All data of the store are read only if the numbers are to be ``exact``, or all depends on them.

    :raises UnsupportedError: it is no store, or it is damaged.
    """
    if overlay.kind is not PersistenceKind.SNAPSHOT:
        raise UnsupportedError(
            f"{overlay.place} is an overlay of the kind {overlay.kind}, in which deleted files"
            " take no room",
            hint="only snapshot stores can be compacted",
        )
    if not exact:
        with suppress(NoSpaceError):
            at_sight = plan(overlay, subject, request, Compaction.of(overlay, compare=False))
            if at_sight.steps:
                return at_sight
    return plan(overlay, subject, request, Compaction.of(overlay, progress))


def plan(
    overlay: OpenOverlay, subject: Subject, request: CompactRequest, facts: Compaction
) -> Plan:
    """Drop what a store holds in vain; no steps when there is nothing to do.

    :raises NoSpaceError: what is live does not fit into the size that is asked for.
    """
    size = _size(overlay, request, facts)
    notes = tuple(_notes(facts))
    if facts.is_compact and size == facts.store.size and request.output is None:
        return Plan(f"leave {subject} as it is", (), notes=("nothing in it is held in vain",))
    if request.output is not None:
        return _into_file(subject, request.output, size, request, facts)
    in_place = request.in_place or not _has_room(overlay, facts, size)
    if in_place and not request.in_place:
        notes += ("there is no room for a second store beside it: it is changed in place",)
    if in_place:
        _require_room_inside(facts)
        steps: tuple[CompactStore | CompactInPlace, ...] = (CompactInPlace(subject, size),)
        destroys: tuple[str, ...] = ()
    else:
        steps, destroys = _beside(overlay, subject, size, request)
    return Plan(
        title=f"compact {subject}",
        steps=steps,
        destroys=destroys,
        notes=notes,
        layout=_layout(facts),
    )


def _size(overlay: OpenOverlay, request: CompactRequest, facts: Compaction) -> int:
    """The size that the store gets: whole chunks, never one that dies when it fills."""
    if request.size is None:
        wanted = facts.store.size
        least = facts.geometry.chunks_for(len(facts.live)) * facts.geometry.chunk_size
        if wanted >= least:
            return wanted
    else:
        chunk = facts.geometry.chunk_size
        wanted = facts.geometry.off_boundary(-(-request.size // chunk)) * chunk
        least = facts.least_chunks * chunk
    if wanted < least:
        raise NoSpaceError(
            f"{format_size(wanted)} are too small: what is needed of {overlay.place} takes"
            f" {format_size(least)}",
            hint=f"give it at least that with --size {-(-least // 1024)}K",
        )
    limit = overlay.place.folder.limit()
    if limit is not None and wanted > limit and request.output is None:
        raise NoSpaceError(f"the filesystem takes no file of more than {format_size(limit)}")
    return wanted


def _has_room(overlay: OpenOverlay, facts: Compaction, size: int) -> bool:
    folder = overlay.place.folder
    sparse = isinstance(folder, HostFolder)
    needed = facts.least_chunks * facts.geometry.chunk_size if sparse else size
    return needed <= folder.free()


def _require_room_inside(facts: Compaction) -> None:
    """:raises NoSpaceError: there is no room for what the replay adds, and for its own moves."""
    geometry = facts.geometry
    chunks = geometry.chunks_in(facts.store.size)
    slots = geometry.areas_in(chunks) * geometry.slots_per_area - 1
    spare = _REPLAY_SPARE if facts.replays else 0
    if len(facts.live) + spare > min(geometry.data_chunks_in(chunks), slots):
        raise NoSpaceError(
            "the filesystem's journal cannot be replayed in the store: it is too full",
            hint="make it larger first with liveos overlay resize, or write a new one with -o",
        )


def _beside(
    overlay: OpenOverlay, subject: Subject, size: int, request: CompactRequest
) -> tuple[tuple[CompactStore | CompactInPlace, ...], tuple[str, ...]]:
    names = overlay.place.folder.names()
    keep = overlay.place.name + _BACKUP if request.keep_backup else None
    if keep in names:
        raise already_there(overlay.place.beside(_BACKUP))
    new = overlay.place.beside(COMPACTED)
    leftover = new.name in names
    destroys = (f"{new}, which an interrupted run has left",) if leftover else ()
    return (CompactStore(subject, size, None, False, keep, leftover),), destroys  # noqa: FBT003 - fields of a record


def _into_file(
    subject: Subject, output: Path, size: int, request: CompactRequest, facts: Compaction
) -> Plan:
    destroys = tuple(
        f"{path} as it is now ({format_size(path.stat().st_size)})"
        for path in (output, part_of(output))
        if os.path.lexists(path)
    )
    if destroys and not request.force:
        raise RefusedError(
            f"{output} or what an interrupted run left of it exists",
            hint="choose another name, or add --force to replace it",
        )
    return Plan(
        title=f"write a compacted copy of {subject} to {output}",
        steps=(CompactStore(subject, size, output, request.force, None, leftover=False),),
        destroys=destroys,
        notes=tuple(_notes(facts)),
        layout=_layout(facts),
    )


def _layout(facts: Compaction) -> tuple[tuple[str, int], ...]:
    """What the store is full of now, and the blocks that wait in the journal."""
    held = facts.fates
    parts = [
        ("still needed", held.size(Fate.LIVE)),
        ("of deleted files", held.size(Fate.FREED)),
        ("equal to the root", held.size(Fate.EQUAL)),
    ]
    return tuple((what, size) for what, size in parts if size)


def _notes(facts: Compaction) -> "list[str]":
    notes = [f"{format_size(max(0, facts.gains))} of the store can be used again afterwards"]
    if facts.replays:
        notes.append("the filesystem's journal is replayed, as the next start would do")
    if facts.fates.problem is not None:
        notes.append(
            f"only blocks equal to the root are dropped, for the filesystem cannot be read:"
            f" {facts.fates.problem}"
        )
    return notes
