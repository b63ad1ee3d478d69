# SPDX-License-Identifier: Apache-2.0
"""The plan of ``home create``."""

import shlex
from dataclasses import dataclass, replace
from uuid import UUID

from liveos.errors import NoSpaceError, RefusedError, UnsupportedError
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.folder import Folder, FolderFile
from liveos.host.folders.partition import PartitionFolder
from liveos.host.luks import HEADER_SIZE, Key
from liveos.host.tools import CRYPTSETUP, DEBUGFS, E2FSCK, MKE2FS, MTOOLS, SFDISK, Tool
from liveos.host.volumes import SAFE_FEATURES
from liveos.medium.home.locate import OpenHome
from liveos.medium.home.mounting import LiveSystem, Mounting
from liveos.operations.home.plans.mounting import notes_on, preparations
from liveos.operations.home.plans.partition import choose_partition
from liveos.operations.home.plans.record import home_facts, noted
from liveos.operations.plan import AnyStep, Plan
from liveos.operations.steps.home import NEW, CreateHome, Encryption
from liveos.operations.steps.stick import Run
from liveos.sizes import Size, format_size

_MIB = 1 << 20
_LEAST = 32 * _MIB
# Left free where a home takes the rest: the stick's own filesystem needs a little to go on.
_SPARE = 4 * _MIB


@dataclass(frozen=True, slots=True)
class HomeWish:
    """What is asked for; the UUIDs are those of the ext4 and of the LUKS volume around it.

    With ``partition_uuid`` the home is to be a partition; if that must be made, it gets this one.
    """

    size: Size
    uuid: UUID
    luks_uuid: UUID | None = None
    partition_uuid: UUID | None = None

    @property
    def least(self) -> int:
        """The fewest bytes that such a home needs."""
        return _LEAST + (0 if self.luks_uuid is None else HEADER_SIZE)


def plan(found: OpenHome, spec: str, wish: HomeWish) -> Plan:
    """Make a home where there is none.

    :raises RefusedError: there is one.
    :raises UnsupportedError: the image cannot mount it.
    :raises NoSpaceError: it does not fit, or is too small for a filesystem.
    """
    encrypted = wish.luks_uuid is not None
    _require_none(found, spec)
    found, additions = _placed(found, wish)
    mounting = found.mounting(encrypted=encrypted)
    _require_mountable(found, mounting, encrypted=encrypted)
    folder = found.place.folder
    size = folder.size if isinstance(folder, PartitionFolder) else _size(folder, wish)
    step = _step(found, spec, wish, size)
    before = (*additions, *preparations(found, mounting))
    facts = home_facts(found, size, str(wish.luks_uuid or wish.uuid), encrypted=encrypted)
    kind = "an encrypted" if encrypted else "a plain"
    left_over = f"{found.place}{NEW}, left by a run that was cut off"
    return Plan(
        title=f"make {kind} home of {format_size(size)} for {found.image.name}",
        steps=(*before, step, *noted(found, before, facts, mounting.words)),
        destroys=(left_over,) if step.stale else (),
        notes=tuple(notes_on(found, mounting)),
        needs=(*((SFDISK,) if additions else ()), *_tools(folder, encrypted=encrypted)),
    )


def with_key(plan: Plan, key: Key) -> Plan:
    """The plan of an encrypted home, when the key is known."""
    notes = plan.notes
    if key.secret().endswith((b"\n", b"\r")):
        notes += (f"{key} ends with a line end, which nobody can type at boot",)
    return replace(plan, steps=tuple(_opened_by(step, key) for step in plan.steps), notes=notes)


def _opened_by(step: AnyStep, key: Key) -> AnyStep:
    if isinstance(step, CreateHome) and step.encryption is not None:
        return replace(step, encryption=replace(step.encryption, key=key))
    return step


def _placed(found: OpenHome, wish: HomeWish) -> tuple[OpenHome, tuple[Run, ...]]:
    """Where the home is to be; for a partition, which may have to be made."""
    if wish.partition_uuid is None:
        return found, ()
    folder, additions = choose_partition(found.scene, wish.size, wish.partition_uuid, wish.least)
    uuid = str(wish.luks_uuid or wish.uuid)
    return replace(found, place=FolderFile(folder, folder.name), partition=uuid), additions


def _require_none(found: OpenHome, spec: str) -> None:
    if found.source is not None:
        words = shlex.quote(spec)
        raise RefusedError(
            f"{found.place} exists",
            hint=f"liveos home status {words} shows it; liveos home remove {words} deletes it",
        )


def _step(found: OpenHome, spec: str, wish: HomeWish, size: int) -> CreateHome:
    system = found.system or LiveSystem()
    return CreateHome(
        spec=spec,
        place=found.place,
        size=size,
        uuid=wish.uuid,
        features=SAFE_FEATURES,
        encryption=None if wish.luks_uuid is None else Encryption(wish.luks_uuid),
        user=system.user_without_home(overlay_used=found.overlay_used),
        targeted=system.targeted,
        stale=found.place.name + NEW in found.place.folder.names(),
    )


def _require_mountable(found: OpenHome, mounting: Mounting, *, encrypted: bool) -> None:
    if mounting.works:
        return
    plainly = encrypted and found.mounting(encrypted=False).works
    raise UnsupportedError(
        f"{found.image.name} would not mount {found.place.name}: {mounting.reason}",
        hint="a plain one could be mounted: --plain"
        if plainly
        else "an overlay keeps /home with everything else: liveos overlay status",
    )


def _size(folder: Folder, wish: HomeWish) -> int:
    """Whole mebibytes, for there is nothing smaller in a LUKS volume or an ext4 that helps."""
    free, limit = folder.free(), folder.limit()
    least = wish.least
    left = max(0, free - _SPARE)
    if limit is not None and wish.size.bytes is None:
        left = min(left, limit)
    size = wish.size.of(free, left=left) // _MIB * _MIB
    if limit is not None and size > limit:
        raise NoSpaceError(
            f"the filesystem of {folder} takes files of up to {limit} bytes, and"
            f" {format_size(size)} are asked for",
            hint=f"the largest home that is possible here is {limit // _MIB}M",
        )
    if size > free:
        raise NoSpaceError(
            f"{folder} has {format_size(free)} free, and {format_size(size)} are asked for",
            hint="choose a smaller size, or make room there",
        )
    if size < least:
        raise NoSpaceError(
            f"a home of {format_size(size)} is too small: it needs {format_size(least)}",
            hint=f"{format_size(free)} are free",
        )
    return size


def _tools(folder: Folder, *, encrypted: bool) -> tuple[Tool, ...]:
    fat = (MTOOLS,) if isinstance(folder, FatFolder) else ()
    return (MKE2FS, DEBUGFS, E2FSCK, *((CRYPTSETUP,) if encrypted else ()), *fat)
