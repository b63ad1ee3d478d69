# SPDX-License-Identifier: Apache-2.0
"""What an image remembers by, when a newer one takes its place: what is kept, and how used."""

from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from liveos.errors import NoSpaceError, RefusedError, UnsupportedError, UsageError
from liveos.host.folders.folder import FolderFile
from liveos.medium.home.mounting import (
    LiveSystem,
    Mounting,
    choose_mounting,
    mounting_of_swap,
)
from liveos.medium.installation import Record
from liveos.medium.model import Image, Overlay, PersistenceKind
from liveos.operations.install.overlay import choose_kind, most_useful, store_size
from liveos.operations.install.sizes import AUTO, Wishes, share_out
from liveos.operations.install.stick import UsedAtBoot
from liveos.operations.steps.whole_overlay import (
    EmbeddedFilesystem,
    MakeImage,
    MakeStore,
    MakeUpper,
    WholeOverlayStep,
    context_of_root,
)
from liveos.sizes import Size, format_size

_BLOCK = 4096
_BELONGS = frozenset({PersistenceKind.DIRECTORY, PersistenceKind.IMAGE})


class OverlayFate(StrEnum):
    """What becomes of an overlay whose root is replaced."""

    KEEP = "keep"
    SET_ASIDE = "set-aside"


@dataclass(frozen=True, slots=True)
class KeptOverlay:
    """The overlay that the updated image will have: its kind, None for none.

    With ``making`` a new one is made, after ``aside`` has lost its name: the old one, if any.
    """

    kind: PersistenceKind | None
    size: int | None = None
    aside: Overlay | None = None
    making: bool = False
    notes: tuple[str, ...] = ()


def overlay_after(
    old: Image, record: Record | None, new: Image, fate: OverlayFate | None
) -> KeptOverlay:
    """What becomes of the overlay of ``old``.

    :raises UsageError: there is one, and nobody said what shall become of it.
    :raises RefusedError: it belongs to its root byte for byte.
    :raises UnsupportedError: the changes are in the root itself.
    """
    overlay = old.overlay
    if overlay is None:
        kind = _lost_kind(record)  # of a run that was cut off when it had been set aside
        if kind is None:
            return KeptOverlay(None)
        return KeptOverlay(_usable(new, kind), size=_lost_size(record), making=True)
    if overlay.kind is PersistenceKind.DIRECT:
        raise UnsupportedError(
            f"{old.name} writes its changes into {overlay.path}: a new root would lose them",
            hint="liveos install --add puts the new image beside it",
        )
    if fate is None:
        raise UsageError(
            f"{old.name} has an overlay, {overlay.path} ({overlay.kind}):"
            " say what shall become of it",
            hint=_choices(overlay),
        )
    if fate is OverlayFate.SET_ASIDE:
        kind = _usable(new, overlay.kind)
        size = overlay.size if kind is overlay.kind else None
        return KeptOverlay(kind, size=size, aside=overlay, making=True)
    if overlay.kind not in _BELONGS:
        raise RefusedError(
            f"{overlay.path} belongs to its root byte for byte: over another one it is garbage",
            hint="add --overlay set-aside, which keeps it under another name; liveos overlay diff"
            " --extract, before that, saves the files in it",
        )
    choose_kind(new, overlay.kind)
    return KeptOverlay(overlay.kind, size=overlay.size, notes=(_warning(overlay),))


def use_of_memory(old: Image, new: Image, system: LiveSystem | None, name: str) -> UsedAtBoot:
    """How the new image will use the home and the swap that are there.

    :raises UnsupportedError: it would not mount the home.
    """
    image, home, swap = replace(new, entries=()), None, None
    if old.home is not None:
        partition = old.home.uuid if old.home.partition is not None else None
        home = choose_mounting(
            system, image, name, encrypted=bool(old.home.encrypted), partition=partition
        )
        _require(home, new, old.home.path)
    if old.swap is not None:
        swap = mounting_of_swap(system, image, name)
        _require(swap, new, old.swap.path)
    return UsedAtBoot(home, swap, targeted=system is None or system.targeted)


def size_of_new(overlay: KeptOverlay, new: Image, room: int) -> int | None:
    """Bytes of the overlay that is made; None for a directory.

    :raises NoSpaceError: it does not fit.
    """
    kind, shared = overlay.kind, overlay.kind is PersistenceKind.DIRECTORY
    wish = AUTO if overlay.size is None else Size(bytes=overlay.size)
    if overlay.size is not None and overlay.size > room:
        raise NoSpaceError(
            f"a new overlay of {format_size(overlay.size)} has no room beside the old one:"
            f" {format_size(room)} will be free on LIVE",
            hint="remove the old one first: liveos overlay remove",
        )
    wishes = Wishes(overlay=wish, shared=shared, overlay_most=most_useful(new, kind))
    size = share_out(room, wishes).overlay
    if size is None or kind is not PersistenceKind.SNAPSHOT:
        return None if size is None else size // _BLOCK * _BLOCK
    return store_size(size)[0]


def making(
    kind: PersistenceKind | None,
    place: FolderFile,
    size: int | None,
    filesystem: EmbeddedFilesystem,
) -> WholeOverlayStep:
    """The step that makes a new overlay."""
    if kind is PersistenceKind.DIRECTORY or size is None:
        return MakeUpper(place, filesystem.selinux)
    if kind is PersistenceKind.SNAPSHOT:
        return MakeStore(place, size)
    return MakeImage(place, size, filesystem)


def embedded(uuid: UUID, features: str, *, targeted: bool) -> EmbeddedFilesystem:
    """What an overlay of the kind image has in it."""
    return EmbeddedFilesystem(uuid, features, context_of_root(targeted=targeted))


def _usable(new: Image, kind: PersistenceKind) -> PersistenceKind:
    """The same kind if the new image can use it, else what suits it."""
    try:
        return choose_kind(new, kind)
    except UnsupportedError:
        return choose_kind(new, None)


def _require(mounting: Mounting, new: Image, path: str) -> None:
    if not mounting.works:
        raise UnsupportedError(
            f"{new.name} would not use {path}: {mounting.reason}",
            hint="liveos install --add puts the new image beside the old one",
        )


def _choices(overlay: Overlay) -> str:
    aside = "--overlay set-aside starts with an empty one, and keeps the old under another name"
    if overlay.kind not in _BELONGS:
        return f"{aside}; it cannot be kept in use: a snapshot belongs to its root byte for byte"
    return f"--overlay keep uses it over the new root; {aside}"


def _warning(overlay: Overlay) -> str:
    return (
        f"{overlay.path} is used over another root than it was made over: files that were changed"
        " hide newer ones, those of the package database among them; back it up, or set it aside"
    )


def _lost_kind(record: Record | None) -> PersistenceKind | None:
    noted = record.facts.get("overlay") if record is not None else None
    kind = noted.get("kind") if isinstance(noted, dict) else None
    known = {PersistenceKind.SNAPSHOT, *_BELONGS}
    return next((each for each in known if each == kind), None)


def _lost_size(record: Record | None) -> int | None:
    noted = record.facts.get("overlay") if record is not None else None
    size = noted.get("size") if isinstance(noted, dict) else None
    return size if isinstance(size, int) and size > 0 else None
