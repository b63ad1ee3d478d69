# SPDX-License-Identifier: Apache-2.0
"""The plan of ``overlay restore``."""

import os
from dataclasses import dataclass
from pathlib import Path

from liveos.errors import RefusedError, UnsupportedError
from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store import SECTOR, count_exceptions
from liveos.formats.exception_store.spans import SpannedSource
from liveos.host.folders.new_file import part_of
from liveos.medium.overlay.locate import OpenOverlay
from liveos.operations.plan import Plan
from liveos.operations.steps.overlay import RestoreInto, RestoreNew, Subject
from liveos.sizes import format_size


@dataclass(frozen=True, slots=True)
class NewStore:
    """A new file is wanted; ``data`` is the store that has the chunks' data."""

    output: Path
    data: Subject | None = None
    force: bool = False


def plan_new(recording: SpannedSource, path: Path, request: NewStore) -> Plan:
    """Make a new store by the recording in ``path``."""
    output = request.output
    destroys = tuple(
        f"{place} as it is now ({format_size(place.stat().st_size)})"
        for place in (output, part_of(output))
        if os.path.lexists(place)
    )
    if destroys and not request.force:
        raise RefusedError(
            f"{output} or what an interrupted run left of it exists",
            hint="choose another name, or add --force to replace it",
        )
    without = f"the data of its {_changes(recording)} are not in {path}: they will be zeros"
    return Plan(
        title=f"restore {path} as the new store {output}",
        steps=(RestoreNew(path, output, recording.size, request.data, request.force),),
        destroys=destroys,
        notes=() if request.data else (without,),
    )


def plan_into(recording: SpannedSource, path: Path, overlay: OpenOverlay, subject: Subject) -> Plan:
    """Put the header and the list of the recording in ``path`` back into an overlay."""
    store = overlay.need_store()
    if store.size != recording.size:
        raise RefusedError(
            f"{path} was made of a store of {recording.size} bytes; {subject} has {store.size}",
            hint=f"liveos overlay restore {path} --data {subject.spec} -o NEW makes a new one",
        )
    spans = recording.spans
    if not spans or spans[0].offset or spans[0].length < min(SECTOR, recording.size):
        raise UnsupportedError(f"{path} does not hold the header of a store")
    return Plan(
        title=f"restore {subject} by {path}",
        steps=(RestoreInto(path, subject),),
        destroys=(f"what {subject} has now: {_changes(store)}; {path} has {_changes(recording)}",),
        notes=("if it is interrupted the store is marked invalid: run it again",),
    )


def _changes(source: ByteSource) -> str:
    try:
        return f"{count_exceptions(source)} changed chunks"
    except FormatError:
        return "list, which cannot be read"
