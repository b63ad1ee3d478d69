# SPDX-License-Identifier: Apache-2.0
"""The plan of ``overlay merge``."""

import os
from dataclasses import dataclass
from pathlib import Path

from liveos.errors import RefusedError, UnsupportedError, UsageError
from liveos.formats.exception_store import ExceptionStore
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.host.folders.new_file import part_of
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.locate import OpenOverlay
from liveos.operations.overlay.sound import sound_store
from liveos.operations.plan import Plan
from liveos.operations.steps.overlay import MergeInPlace, Subject, WriteMerged
from liveos.sizes import format_size

_OVERLAYS = "overlay-"
_NOT_REPLAYED = (
    "the filesystem's journal stays as it is, as in the kernel's view; --replay applies it"
)


@dataclass(frozen=True, slots=True)
class MergeRequest:
    """Where the merged root goes: a new file, or in place of the root when there is none."""

    output: Path | None
    replay: bool = False
    force: bool = False


def plan(overlay: OpenOverlay, subject: Subject, request: MergeRequest) -> Plan:
    """Make one root of the origin and its changes."""
    if overlay.kind is PersistenceKind.DIRECTORY:
        raise UnsupportedError(
            f"{overlay.place} keeps files, not blocks: no root image can be made of it",
            hint="liveos remaster makes a new ISO of the root and these files",
        )
    store = sound_store(overlay)
    if request.output is None:
        return _in_place(overlay, subject, store)
    return _into_file(overlay, subject, request.output, request)


def _into_file(overlay: OpenOverlay, subject: Subject, output: Path, request: MergeRequest) -> Plan:
    origin = overlay.need_origin()
    _require_other_file(output, overlay.place, origin.place)
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
        title=f"merge {subject} into the new file {output}",
        steps=(WriteMerged(subject, origin.name, output, request.replay, request.force),),
        destroys=destroys,
        notes=() if request.replay else (_NOT_REPLAYED,),
    )


def _in_place(overlay: OpenOverlay, subject: Subject, store: ExceptionStore) -> Plan:
    origin = overlay.need_origin()
    if origin.place is None:
        raise UnsupportedError(
            f"{origin.name} cannot be changed in place: it is compressed or packed in another file",
            hint="write the merged root to a new file with -o",
        )
    _require_sole_overlay(overlay.place, origin.place)
    amount = format_size(store.count * store.geometry.chunk_size)
    return Plan(
        title=f"merge {subject} into {origin.place}",
        steps=(MergeInPlace(subject, origin.place),),
        destroys=(f"the unchanged root {origin.place}: {amount} of changes go into it for good",),
        notes=(
            "if it is interrupted, run it again before the stick is used",
            "sums of the unchanged root, such as those in image.json, will not match any more",
        ),
    )


def _require_other_file(output: Path, *inputs: FolderFile | None) -> None:
    for place in inputs:
        if place is not None and isinstance(place.folder, HostFolder):
            path = place.folder.directory / place.name
            if output.exists() and output.samefile(path):
                raise UsageError(
                    f"{output} is what the merged root is made of",
                    hint="give another name with -o; --in-place changes the root itself",
                )


def _require_sole_overlay(store: FolderFile, origin: FolderFile) -> None:
    """:raises RefusedError: another overlay, also a kept one, lies beside the root."""
    others = sorted(
        name
        for name in origin.folder.names()
        if name.startswith(_OVERLAYS) and FolderFile(origin.folder, name) != store
    )
    if others:
        raise RefusedError(
            f"{others[0]} lies beside {origin} too and would not fit the merged root",
            hint="write the merged root to a new file with -o, or move the other overlay away",
        )
