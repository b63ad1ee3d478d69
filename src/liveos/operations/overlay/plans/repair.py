# SPDX-License-Identifier: Apache-2.0
"""The plan of ``overlay repair``."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from liveos.errors import NoSpaceError, RefusedError, UsageError
from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store import read_store
from liveos.formats.ext4.superblock import Superblock
from liveos.host.folders.folder import HostFolder, require_room
from liveos.host.folders.new_file import part_of
from liveos.host.tools import E2FSCK
from liveos.medium.overlay.filesystem_check import Corrections
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.pairing import pairing_fault
from liveos.medium.overlay.whose import files_with
from liveos.operations.overlay.mend import Mended
from liveos.operations.overlay.mending import Mending, decide
from liveos.operations.overlay.sound import damage_named
from liveos.operations.plan import Plan
from liveos.operations.steps.overlay import Choices, RepairStore, Subject
from liveos.sizes import format_size

_FILES_NAMED = 10
_SLOTS_NAMED = 8
_HARMFUL = {"R1", "R2", "R4", "R7"}
# The kernel has up to 2048 first writes in flight when a store dies; what lies far behind the
# last entry is what an older use of the file has left.
_SEARCHED = 64 << 20

_LOSSES = {
    "R1": "leading behind the end of the file",
    "R2": "leading into the list itself",
    "R3": "for parts that the root does not have, which nothing can see",
    "R4": "contradicting those that are kept",
    "R5": "saying again what another one says, so that nothing is lost",
    "R7": "leading nowhere",
}


@dataclass(frozen=True, slots=True)
class RepairRequest:
    """Where the repaired store goes, and what may be decided and corrected.

    ``output`` None means in place. ``corrections`` None leaves the filesystem alone. ``undo`` is
    where what gets overwritten is saved, for a place other than the usual.
    """

    output: Path | None = None
    choices: Choices = field(default_factory=Choices)
    corrections: Corrections | None = Corrections.SAFE
    undo: Path | None = None
    force: bool = False


def plan(overlay: OpenOverlay, subject: Subject, request: RepairRequest) -> Plan:
    """Mend the list of a store, then its filesystem; no steps when there is nothing to do.

    :raises RefusedError: a choice is missing, or the root is another one.
    :raises UnsupportedError: nothing can be made of it.
    """
    source = overlay.need_store()
    origin = overlay.origin.source if overlay.origin is not None else None
    with damage_named(subject):
        mending = decide(source, None if origin is None else origin.size, request.choices)
        mended = Mended(source, mending)
        mended.finish(None if origin is None else origin.size)
        if origin is not None:
            _require_pair(mended, origin, overlay)
    corrections = request.corrections if _has_ext(origin) else None
    if not mending.is_needed and corrections is None:
        return Plan(f"leave {subject} as it is", (), notes=("nothing is wrong with it",))
    losses = tuple(_losses(mending, mended, origin))
    notes = (*_notes(mending, source), *_filesystem_notes(origin, request, corrections))
    needs = (E2FSCK,) if corrections is not None else ()
    if request.output is not None:
        _require_other_file(request.output, overlay)
        destroys = replaced(request.output, force=request.force)
        notes = (*notes, *(f"it will not hold {loss}" for loss in losses))
        title, undo = f"repair {subject} into the new file {request.output}", None
    else:
        _require_growth(overlay, mending)
        undo = _new_undo(request.undo) if request.undo is not None else _free_name(overlay, subject)
        title, destroys = f"repair {subject} in place", losses
        notes = (*notes, f"to undo it: liveos overlay restore {undo} --into {subject.spec}")
    step = RepairStore(subject, request.choices, corrections, request.output, undo, request.force)
    return Plan(title, (step,), destroys, notes, needs)


def _require_pair(mended: Mended, origin: ByteSource, overlay: OpenOverlay) -> None:
    fault = pairing_fault(read_store(mended.second), mended.second, origin)
    if fault is not None:
        raise RefusedError(f"{overlay.place}: {fault.message}", hint=fault.repair)


def _has_ext(origin: ByteSource | None) -> bool:
    if origin is None:
        return False
    try:
        Superblock.checked(origin)
    except FormatError:
        return False
    return True


def _notes(mending: Mending, source: ByteSource) -> Iterator[str]:
    """What is done to the list and the file."""
    store = mending.store
    chunk = store.geometry.chunk_size
    if mending.rebuilds_header:
        yield f"a new header is written: {store.count} entries were found, each for {chunk} bytes"
    elif not store.is_valid:
        yield from _revival(mending, source)
    elif mending.writes_header:
        yield "the header is written as the kernel writes it"
    if mending.clears_tail:
        yield "what lies behind the end of the list is cleared; none of it was ever part of it"
    if len(mending.shared):
        yield (
            f"{len(mending.shared)} entries that share what they keep get a copy of their own; one"
            " of each two shows what was not its own, before as after"
        )
    if mending.size != store.size:
        yield (
            f"its file grows from {format_size(store.size)} to {format_size(mending.size)}, so"
            " that it neither dies nor stops at once"
        )


def _revival(mending: Mending, source: ByteSource) -> Iterator[str]:
    """A store that died when it was full has data whose records never reached it (fact 6)."""
    yield "it is marked alive again"
    store = mending.store
    size = store.geometry.chunk_size
    first = store.next_free()
    last = min(store.chunks, first + _SEARCHED // size)
    lost = sum(
        any(source.read_at(chunk * size, size))
        for chunk in range(first, last)
        if not store.geometry.is_metadata(chunk)
    )
    if lost:
        yield (
            f"up to {lost} changes of {size} bytes each were lost when it died: their data lie"
            " behind the others, but no entry says what they were"
        )


def _losses(mending: Mending, mended: Mended, origin: ByteSource | None) -> Iterator[str]:
    """What was in the store and will not be."""
    for code, slots in mending.dropped.items():
        numbers = ", ".join(map(str, slots[:_SLOTS_NAMED].tolist()))
        more = ", …" if len(slots) > _SLOTS_NAMED else ""
        many = "1 entry" if len(slots) == 1 else f"{len(slots)} entries"
        yield f"{many} of the list (number {numbers}{more}) {_LOSSES[code]} ({code})"
    harmed = [
        *(mending.store.old[slots] for code, slots in mending.dropped.items() if code in _HARMFUL),
        mending.store.old[mending.shared],
    ]
    chunks = {chunk for column in harmed for chunk in column.tolist()}
    if chunks and origin is not None:
        files = files_with(mended.view(origin), chunks, mending.store.geometry.chunk_size)
        if files:
            more = f" and {len(files) - _FILES_NAMED} more" if len(files) > _FILES_NAMED else ""
            yield f"changes in {', '.join(files[:_FILES_NAMED])}{more}; look at them afterwards"


def _filesystem_notes(
    origin: ByteSource | None, request: RepairRequest, corrections: Corrections | None
) -> Iterator[str]:
    if corrections is not None:
        manner = "everything that it finds" if corrections is Corrections.ALL else "what is safe"
        yield (
            "the filesystem's journal is replayed, and e2fsck corrects"
            f" {manner}; the file may grow for that"
        )
    elif request.corrections is None:
        yield "the filesystem in it is left alone, as asked"
    elif origin is None:
        yield (
            "the filesystem in it is not checked, for the root is not known: name it with"
            " --origin, now or in a second repair"
        )
    else:
        yield "the filesystem in it is not of ext2, ext3 or ext4, and is not checked"


def _require_growth(overlay: OpenOverlay, mending: Mending) -> None:
    folder = overlay.place.folder
    limit = folder.limit()
    if limit is not None and mending.size > limit:
        raise NoSpaceError(
            f"{overlay.place} would have to grow to {format_size(mending.size)}, and its"
            f" filesystem takes files of up to {format_size(limit)}",
            hint="repair it into a new file with -o, then compact that",
        )
    require_room(mending.size - mending.store.size, folder.free(), folder)


def _require_other_file(output: Path, overlay: OpenOverlay) -> None:
    folder = overlay.place.folder
    own = folder.directory / overlay.place.name if isinstance(folder, HostFolder) else None
    if own is not None and output.exists() and output.samefile(own):
        raise UsageError(
            f"{output} is what is to be repaired", hint="give another name with -o, or --in-place"
        )


def replaced(output: Path, *, force: bool) -> tuple[str, ...]:
    """What an output would replace; :raises RefusedError: something, without ``force``."""
    there = tuple(
        f"{path} as it is now ({format_size(path.stat().st_size)})"
        for path in (output, part_of(output))
        if os.path.lexists(path)
    )
    if there and not force:
        raise RefusedError(
            f"{output} or what an interrupted run left of it exists",
            hint="choose another name, or add --force to replace it",
        )
    return there


def _new_undo(path: Path) -> Path:
    if os.path.lexists(path):
        raise RefusedError(f"{path} exists", hint="choose another name with --undo")
    return path


def _free_name(overlay: OpenOverlay, subject: Subject) -> Path:
    """Beside the store or the image file that it is in; here where that is a device.

    None is ever overwritten.
    """
    folder, medium = overlay.place.folder, Path(subject.spec)
    if isinstance(folder, HostFolder):
        directory = folder.directory
    else:
        directory = medium.parent if medium.is_file() else Path.cwd()
    usual = directory / f"{overlay.place.name}.undo"
    names = (usual, *(usual.with_name(f"{usual.name}{number}") for number in range(2, 1000)))
    return next((path for path in names if not os.path.lexists(path)), names[-1])
