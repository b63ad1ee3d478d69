# SPDX-License-Identifier: Apache-2.0
"""The plan of ``overlay create``: memory for an image that was installed without.

The overlay is made first, whole and durable; then the menu leads to it; then the record says so.
A cut in between leaves a stick that starts as before, and the next run goes on from there.
"""

import shlex
from dataclasses import dataclass, replace
from uuid import UUID

from liveos.errors import RefusedError, UnsupportedError, UsageError
from liveos.host.tools import DEBUGFS, E2FSCK, MKE2FS, MTOOLS, Tool
from liveos.host.volumes import SAFE_FEATURES
from liveos.medium.bootline import boot_options
from liveos.medium.installation import Installation
from liveos.medium.installed import Installed
from liveos.medium.model import Overlay, PersistenceKind
from liveos.operations.install.overlay import choose_kind, most_useful, store_size
from liveos.operations.install.sizes import AUTO, Wishes, share_out
from liveos.operations.overlay.plans.words import (
    changes_of_words,
    require_menus,
    room_for,
    rubbish,
)
from liveos.operations.plan import Plan
from liveos.operations.steps.whole_overlay import (
    WORK,
    EmbeddedFilesystem,
    MakeImage,
    MakeStore,
    MakeUpper,
    WholeOverlayStep,
    context_of_root,
)
from liveos.sizes import Size, format_size

_BLOCK = 4096
_LATE_KINDS = (PersistenceKind.SNAPSHOT, PersistenceKind.DIRECTORY, PersistenceKind.IMAGE)


@dataclass(frozen=True, slots=True)
class OverlayWish:
    """What is asked for; without a kind the image decides. ``uuid`` is for an image's ext4."""

    uuid: UUID
    kind: PersistenceKind | None = None
    size: Size | None = None


def plan(found: Installation, wish: OverlayWish) -> Plan:
    """Give the image an overlay, or go on with one that a run was cut off at.

    :raises RefusedError: it has one that is used.
    :raises UnsupportedError: the image cannot use it, or nobody but the owner can change its menu.
    :raises NoSpaceError: there is too little room on LIVE.
    """
    require_menus(found)
    if _is_unnoted(found):
        return _noting(found)
    if _is_unfinished(found):
        return _finishing(found)
    there = _unused_overlay(found)
    kind = there.kind if there else _kind(found, wish)
    if kind not in _LATE_KINDS:
        raise UsageError(f"an overlay of the kind {kind} cannot be made later", hint="install anew")
    _require_match(found, there, wish)
    installed = replace(found.installed, overlay=kind, readonly=False)
    words = " ".join(_words(installed))
    _require_menu(found, installed, words)
    size, notes = (there.size, ()) if there else _size(found, kind, wish)
    made = () if there else (_making(found, kind, size, wish),)
    if there:
        notes = (f"{found.overlay_place} is there already, and nothing uses it: it is taken",)
    return Plan(
        title=f"give {found.image.name} an overlay of the kind {kind}",
        steps=(*made, *changes_of_words(found, installed, size)),
        destroys=_destroys(found, kind) if made else (),
        notes=(*notes, f"boot entries that keep changes get: {words}", *rubbish(found)),
        needs=_tools(kind),
    )


def _is_unnoted(found: Installation) -> bool:
    """Whether a run was cut off between its last two steps."""
    record = found.record
    noted = record is None or record.facts.get("overlay", True) is not None
    return found.menu is not None and found.installed.overlay in _LATE_KINDS and not noted


def _noting(found: Installation) -> Plan:
    assert found.image.overlay is not None
    steps = changes_of_words(found, found.installed, found.image.overlay.size)
    return Plan(title=f"note the overlay of {found.image.name}", steps=steps, needs=(DEBUGFS,))


def _is_unfinished(found: Installation) -> bool:
    """Whether a run was cut off before it had changed the last menu of another maker."""
    overlay = found.image.overlay
    if found.menu is not None or overlay is None or found.owners.problem is not None:
        return False
    there = overlay.path == found.installed.overlay_path and found.installed.overlay is not None
    return there and bool(changes_of_words(found, found.installed, overlay.size))


def _finishing(found: Installation) -> Plan:
    steps = changes_of_words(found, found.installed, None)
    title = f"let every boot menu use the overlay of {found.image.name}"
    return Plan(title=title, steps=steps, needs=(DEBUGFS, MTOOLS))


def _unused_overlay(found: Installation) -> Overlay | None:
    """An overlay at the right place that the menu does not lead to."""
    overlay, words = found.image.overlay, shlex.quote(found.spec)
    if overlay is None:
        return None
    if overlay.kind is PersistenceKind.DIRECT:
        raise RefusedError(
            f"{found.image.name} keeps its changes already: it writes them into {overlay.path}",
            hint="an overlay over it would hide nothing and keep nothing more",
        )
    if found.installed.overlay is not None:
        raise RefusedError(
            f"{found.image.name} has an overlay: {overlay.path} ({overlay.kind})",
            hint=f"liveos overlay status {words} shows it, liveos overlay remove {words} deletes"
            " it",
        )
    return overlay if overlay.path == found.installed.overlay_path else None


def _kind(found: Installation, wish: OverlayWish) -> PersistenceKind:
    try:
        kind = choose_kind(found.image, wish.kind)
        if kind is not PersistenceKind.DIRECTORY or found.volume.filesystem != "vfat":
            return kind
        if wish.kind is None:
            return choose_kind(found.image, PersistenceKind.IMAGE)
    except UnsupportedError as error:
        raise UnsupportedError(
            error.message, hint="liveos inspect shows which kinds the image can use"
        ) from error
    raise UnsupportedError(
        f"{found.folder} is on FAT, which keeps neither owners nor attributes: no directory for"
        " OverlayFS can lie there",
        hint="choose --kind image, which is a file with an ext4 in it",
    )


def _require_match(found: Installation, there: Overlay | None, wish: OverlayWish) -> None:
    """An overlay that is there is taken as it is, or not at all."""
    if there is None:
        return
    wanted = wish.size.bytes if wish.size is not None else None
    if wanted is not None and there.kind is PersistenceKind.SNAPSHOT:
        wanted = store_size(wanted)[0]
    if wish.kind not in {None, there.kind} or wanted not in {None, there.size}:
        size = "" if there.size is None else f" of {format_size(there.size)}"
        raise RefusedError(
            f"{there.path}{size} is there already, of the kind {there.kind}, and no boot entry uses"
            " it",
            hint="leave out --kind and --size to use it as it is, or delete it first:"
            f" liveos overlay remove {shlex.quote(found.spec)}",
        )


def _words(installed: Installed) -> list[str]:
    """What kernel lines have because of the overlay."""
    before = boot_options((), replace(installed, overlay=None))
    return [word for word in boot_options((), installed) if word not in before]


def _require_menu(found: Installation, installed: Installed, words: str) -> None:
    if found.menu is None and found.owners.problem is not None:
        raise UnsupportedError(
            f"{found.spec} was not made by liveos, and its boot menu is its owner's to change:"
            f" {found.owners.problem}",
            hint=f"make {installed.overlay_path} there by hand, and add to the kernel line of the"
            f" boot entry: {words}",
        )


def _size(
    found: Installation, kind: PersistenceKind, wish: OverlayWish
) -> tuple[int | None, tuple[str, ...]]:
    """Bytes of the file, None for a directory; and notes on them."""
    shared = kind is PersistenceKind.DIRECTORY
    if shared and wish.size is not None:
        raise UsageError(
            "an overlay of the kind directory has no size: it shares what is free on LIVE",
            hint="leave out --size, or choose --kind image",
        )
    wishes = Wishes(
        overlay=wish.size or AUTO, shared=shared, overlay_most=most_useful(found.image, kind)
    )
    shares = share_out(room_for(found.overlay_place), wishes, largest_file=found.folder.limit())
    if shares.overlay is None:
        return None, shares.notes
    if kind is not PersistenceKind.SNAPSHOT:
        return shares.overlay // _BLOCK * _BLOCK, shares.notes
    size, notes = store_size(shares.overlay)
    return size, (*shares.notes, *notes)


def _making(
    found: Installation, kind: PersistenceKind, size: int | None, wish: OverlayWish
) -> WholeOverlayStep:
    place, selinux = found.overlay_place, context_of_root(targeted=found.targeted)
    if size is None:
        return MakeUpper(place, selinux)
    if kind is PersistenceKind.SNAPSHOT:
        return MakeStore(place, size)
    return MakeImage(place, size, EmbeddedFilesystem(wish.uuid, SAFE_FEATURES, selinux))


def _destroys(found: Installation, kind: PersistenceKind) -> tuple[str, ...]:
    if kind is PersistenceKind.DIRECTORY and WORK in found.names:
        return (f"{found.folder}/{WORK}, a work directory that belongs to no overlay",)
    return ()


def _tools(kind: PersistenceKind) -> tuple[Tool, ...]:
    maker = (MKE2FS, E2FSCK) if kind is PersistenceKind.IMAGE else ()
    return (DEBUGFS, MTOOLS, *maker)
