# SPDX-License-Identifier: Apache-2.0
"""The plan of ``overlay convert``: the same changes in an overlay of another kind.

The order of the steps makes that the stick starts with all changes after each of them, and that a
run after one that was cut off ends the work. What the initramfs finds at the overlay's name tells
it the kind (boot-contract.md 1.3), so both kinds start by a kernel line without a word for
OverlayFS. With that word a snapshot's changes are lost (rule 5), so it comes after the directory
or image has its name, and goes before the snapshot has it:

1. the new overlay is made under a name that nothing looks for;
2. to a snapshot: the menu;
3. the names are exchanged, in one write of the filesystem;
4. from a snapshot: the menu;
5. the record; then the old overlay is removed.
"""

import shlex
import tempfile
from dataclasses import dataclass, replace

from liveos.errors import RefusedError, UnsupportedError, UsageError
from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.folder import HostFolder
from liveos.host.tools import DEBUGFS, E2FSCK, MKE2FS, MTOOLS, Tool
from liveos.medium.installation import Installation
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.check import StoreState
from liveos.medium.overlay.examine import examine
from liveos.medium.overlay.locate import OpenOverlay
from liveos.operations.overlay.plans.words import changes_of_words
from liveos.operations.overlay.upper.needs import Needs, needs_of
from liveos.operations.overlay.upper.room import chosen_size, require_room
from liveos.operations.plan import Plan
from liveos.operations.steps.convert import (
    ConvertStep,
    MakeConverted,
    RemoveConverted,
    TakePlace,
)
from liveos.operations.steps.menus import MenuStep, ReplaceRecord
from liveos.operations.steps.overlay import Subject
from liveos.operations.steps.whole_overlay import WORK, leftovers, unused
from liveos.sizes import Size, counted, format_size

KINDS = (PersistenceKind.SNAPSHOT, PersistenceKind.DIRECTORY, PersistenceKind.IMAGE)

_OVERLAYFS_WORDS = frozenset({"rd.live.overlay.overlayfs", "rd.overlay", "rd.overlayfs"})
_READY = (StoreState.VALID, StoreState.BLANK)


@dataclass(frozen=True, slots=True)
class ConvertRequest:
    """The kind that is wished; ``size`` is that of a store or an image, None chooses one."""

    to: PersistenceKind
    size: Size | None = None


def kind_of(word: str) -> PersistenceKind:
    """:raises UsageError: no overlay is of this kind."""
    for kind in KINDS:
        if word.lower() == kind:
            return kind
    raise UsageError(
        f"{word!r} is no kind of overlay", hint=f"there are: {', '.join(map(str, KINDS))}"
    )


def plan(found: Installation, overlay: OpenOverlay, request: ConvertRequest) -> Plan:
    """Make the overlay of an image one of another kind; no steps when it is that already.

    :raises UnsupportedError: the image cannot use that kind, or the overlay cannot be read.
    :raises RefusedError: the overlay must be repaired first, or is in use.
    :raises NoSpaceError: there is too little room; says how much is needed, and where.
    """
    subject = Subject(found.spec, None, overlay.place)
    _require_sense(found, overlay, request)
    if overlay.kind is request.to:
        return _completion(found, overlay, subject)
    _require_usable(found, request.to)
    _require_sound(overlay)
    needs = needs_of(overlay, request.to)
    size, notes = chosen_size(found, overlay, request.to, request.size, needs)
    require_room(found, request.to, size, needs)
    words = _words(found, overlay, request.to, size)
    return Plan(
        title=f"make the {overlay.kind} overlay of {found.image.name} one of the kind {request.to}",
        steps=_in_order(found, overlay, subject, request.to, size, words),
        notes=(*notes, *_notes(found, overlay, request.to, needs)),
        needs=_tools(request.to),
        layout=_layout(size, needs),
    )


def _require_sense(found: Installation, overlay: OpenOverlay, request: ConvertRequest) -> None:
    folder = overlay.place.folder
    if request.to not in KINDS or overlay.kind not in KINDS:
        raise UsageError("an overlay is a snapshot, a directory or an image")
    if isinstance(folder, HostFolder):
        raise RefusedError(
            f"{found.spec} is mounted: names could not be exchanged at once there",
            hint="unmount it, and name the device or the image file",
        )
    if overlay.place.name != found.overlay_place.name:
        raise RefusedError(
            f"{overlay.place} is not the overlay that the initramfs looks for",
            hint=f"that would be {found.overlay_place}",
        )
    if request.to is PersistenceKind.DIRECTORY:
        if not isinstance(folder, Ext4Folder):
            raise UnsupportedError(
                f"{folder} is on {found.volume.filesystem}, which keeps neither owners nor"
                " attributes: no directory for OverlayFS can lie there",
                hint="choose --to image, which is a file with an ext4 in it",
            )
        if request.size is not None:
            raise UsageError(
                "a directory has no size: it shares what is free on the stick",
                hint="leave out --size, or choose --to image",
            )


def _require_usable(found: Installation, to: PersistenceKind) -> None:
    """:raises UnsupportedError: the image's initramfs does not start with this kind."""
    option = next((each for each in found.image.persistence if each.kind is to), None)
    if option is None or not option.usable:
        reason = option.reason if option else "nothing is known of its initramfs"
        usable = [str(each.kind) for each in found.image.persistence if each.usable]
        raise UnsupportedError(
            f"{found.image.name} cannot keep changes in an overlay of the kind {to}: {reason}",
            hint=f"it can as {' or '.join(usable)}" if usable else "liveos inspect says more",
        )


def _require_sound(overlay: OpenOverlay) -> None:
    state = examine(overlay).state
    if state not in _READY:
        raise RefusedError(
            f"{overlay.place} is {state}: what is missing in it would be missing for good",
            hint="liveos overlay check says what is wrong; first mend it with liveos overlay repair"
            if state is not StoreState.FULL
            else "make it larger first, with liveos overlay resize, and start the system once",
        )


def _words(
    found: Installation, overlay: OpenOverlay, to: PersistenceKind, size: int | None
) -> tuple[MenuStep, ...]:
    """New texts for menu and record; on sticks of other makers the menu must be in order."""
    if found.menu is not None and found.installed.overlay is not None:
        return changes_of_words(found, replace(found.installed, overlay=to), size)
    words = [
        word
        for entry in found.image.entries
        for word in entry.options
        if word.partition("=")[0] in _OVERLAYFS_WORDS
    ]
    if to is PersistenceKind.SNAPSHOT and overlay.kind is not to and words:
        raise RefusedError(
            f"the boot menu of {found.spec} has {words[0]}, with which a snapshot's changes would"
            " be lost, and it is its owner's to change",
            hint=f"remove that word from its kernel lines, start the system once, and run: liveos"
            f" overlay convert {shlex.quote(found.spec)} --to snapshot",
        )
    return ()


def _in_order(
    found: Installation,
    overlay: OpenOverlay,
    subject: Subject,
    to: PersistenceKind,
    size: int | None,
    words: tuple[MenuStep, ...],
) -> tuple[ConvertStep | MenuStep, ...]:
    """The order that the module's first lines give reasons for."""
    menu = tuple(step for step in words if not isinstance(step, ReplaceRecord))
    record = tuple(step for step in words if isinstance(step, ReplaceRecord))
    to_snapshot = to is PersistenceKind.SNAPSHOT
    keeps_old = PersistenceKind.DIRECTORY in {to, overlay.kind}
    rest = ((unused(subject.place).name,) if keeps_old else ()) + (
        (WORK,) if overlay.kind is PersistenceKind.DIRECTORY and WORK in found.names else ()
    )
    return (
        MakeConverted(subject, to, size, leftovers(found.names, subject.place)),
        *(menu if to_snapshot else ()),
        TakePlace(subject, keeps_old),
        *(() if to_snapshot else menu),
        *record,
        *((RemoveConverted(subject.place, rest),) if rest else ()),
    )


def _completion(found: Installation, overlay: OpenOverlay, subject: Subject) -> Plan:
    """What an interrupted run has left to do; nothing if there was none."""
    rest = leftovers(found.names, subject.place)
    if overlay.kind is not PersistenceKind.DIRECTORY and WORK in found.names:
        rest = (*rest, WORK)
    if not rest and _noted_kind(found) in {None, overlay.kind}:
        return Plan(f"leave {subject} as it is", (), notes=(f"it is of the kind {overlay.kind}",))
    size = None if overlay.source is None else overlay.source.size
    words = _words(found, overlay, overlay.kind, size)
    removal = (RemoveConverted(subject.place, rest),) if rest else ()
    return Plan(
        title=f"end the conversion of {subject}",
        steps=(*words, *removal),
        needs=_tools(overlay.kind),
    )


def _noted_kind(found: Installation) -> object:
    """What the record says of the overlay; it is changed last but for the removal."""
    overlay = None if found.record is None else found.record.facts.get("overlay")
    return overlay.get("kind") if isinstance(overlay, dict) else None


def _notes(
    found: Installation, overlay: OpenOverlay, to: PersistenceKind, needs: Needs
) -> tuple[str, ...]:
    files = counted(needs.files, "file or directory", "files and directories")
    what = f"{files} with {format_size(needs.stored)} to be moved"
    notes = [
        f"{what}; the old overlay is removed when the new one is whole",
    ]
    if needs.scratch:
        work = format_size(needs.scratch)
        notes.append(f"about {work} of room are used in {tempfile.gettempdir()} meanwhile")
    if overlay.kind is PersistenceKind.SNAPSHOT:
        notes.append("in an OverlayFS, directories of the image itself cannot be renamed (EXDEV)")
    if to is not PersistenceKind.SNAPSHOT and found.menu is None:
        notes.append(
            "the boot menu is not one of liveos; the initramfs finds out the kind by itself"
        )
    return tuple(notes)


def _layout(size: int | None, needs: Needs) -> tuple[tuple[str, int], ...]:
    changes = ("changes", needs.least if size is None else min(size, needs.least))
    return (changes,) if size is None else (changes, ("room for more", max(0, size - needs.least)))


def _tools(to: PersistenceKind) -> tuple[Tool, ...]:
    return (DEBUGFS, E2FSCK, MTOOLS, *((MKE2FS,) if to is PersistenceKind.IMAGE else ()))
