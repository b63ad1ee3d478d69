# SPDX-License-Identifier: Apache-2.0
"""What can be brought along from a source, and whether it may be."""

import os
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from liveos.errors import RefusedError, UnsupportedError, UsageError
from liveos.host.folders.folder import HostFolder
from liveos.medium.home.locate import open_home
from liveos.medium.model import Image, PersistenceKind, Store
from liveos.medium.overlay.check import StoreState
from liveos.medium.overlay.examine import examine
from liveos.medium.overlay.locate import OpenOverlay, open_overlay
from liveos.medium.record import NotedFile
from liveos.medium.sources import Source
from liveos.operations.overlay.upper.needs import needs_of

_SPARE = 16 << 20
_USABLE = frozenset({StoreState.VALID, StoreState.BLANK, StoreState.FULL})


@dataclass(frozen=True, slots=True)
class CarriedOverlay:
    """The overlay that is copied: its bytes; of a directory, the room that it needs.

    ``still`` is the filesystem to be frozen meanwhile, where it is in use.
    """

    kind: PersistenceKind
    size: int
    still: Path | None = None


@dataclass(frozen=True, slots=True)
class CarriedHome:
    """The home that is copied. ``uuid`` is as blkid tells it."""

    size: int
    encrypted: bool
    uuid: str | None
    still: Path | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """What comes along from the image ``spec``."""

    spec: str
    noted: tuple[NotedFile, ...] = ()
    overlay: CarriedOverlay | None = None
    home: CarriedHome | None = None


def carried_from(source: Source, *, overlay: bool, home: bool) -> Carried:
    """What shall come along from a source, as it is now.

    :raises UsageError: it has none of it.
    :raises RefusedError: it is in use in a way, or in a state, in which it cannot be copied.
    """
    _require_still_root(source)
    return Carried(
        spec=source.spec,
        noted=source.noted,
        overlay=_overlay(source) if overlay else None,
        home=_home(source) if home else None,
    )


def _require_still_root(source: Source) -> None:
    if source.running is not None and _is_written_to(source.image):
        raise RefusedError(
            "the running system writes its changes into its image itself: that cannot be copied"
            " while it runs",
            hint="start from another medium, and name this stick as the source there",
        )


def _is_written_to(image: Image | None) -> bool:
    direct = PersistenceKind.DIRECT
    return image is not None and image.overlay is not None and image.overlay.kind is direct


def _overlay(source: Source) -> CarriedOverlay:
    image = source.image
    if image is None or image.overlay is None:
        raise UsageError(
            f"{source.spec} has no overlay that could be copied", hint="leave out --copy-overlay"
        )
    if image.overlay.kind is PersistenceKind.DIRECT:
        return CarriedOverlay(PersistenceKind.DIRECT, image.root.stored_size)
    still = None if source.running is None else source.running.overlay_mount
    with open_overlay(source.spec) as found:
        _require_sound(found, source.spec)
        in_use = still is not None and found.kind is PersistenceKind.DIRECTORY
        return CarriedOverlay(found.kind, _room(found) if in_use else _size(found), still)


def _require_sound(found: OpenOverlay, spec: str) -> None:
    state = examine(found).state
    if state not in _USABLE:
        raise RefusedError(
            f"{found.place} is {state}: a copy of it would be, too",
            hint=f"liveos overlay repair {shlex.quote(spec)} mends it; or leave out --copy-overlay",
        )


def _size(found: OpenOverlay) -> int:
    if found.kind is PersistenceKind.DIRECTORY:
        return needs_of(found, PersistenceKind.DIRECTORY).least
    assert found.source is not None
    return found.source.size


def _room(found: OpenOverlay) -> int:
    """Bytes on the disk of a directory in which files come and go meanwhile."""
    folder = found.place.folder
    assert isinstance(folder, HostFolder)
    total = _SPARE
    for path, directories, files in os.walk(folder.directory / found.place.name):
        for name in (*directories, *files):
            with suppress(OSError):
                total += Path(path, name).lstat().st_blocks * 512
    return total


def _home(source: Source) -> CarriedHome:
    image = source.image
    if image is None or image.home is None:
        raise UsageError(
            f"{source.spec} has no home that could be copied", hint="leave out --copy-home"
        )
    store: Store = image.home
    if store.encrypted is None:
        raise UnsupportedError(f"{store.path} of {source.spec} cannot be read")
    with open_home(source.spec) as found:
        if found.source is None:
            raise UnsupportedError(
                f"{store.path} of {source.spec} cannot be reached",
                hint="name the whole stick, not a directory of it",
            )
        size = found.source.size
    still = None if source.running is None else source.running.home_mount
    return CarriedHome(size, store.encrypted, store.uuid, still)
