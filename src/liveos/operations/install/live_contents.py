# SPDX-License-Identifier: Apache-2.0
"""The steps that put the root and its memory on LIVE, and what ``image.json`` says of them."""

import posixpath
from collections.abc import Iterator
from pathlib import PurePosixPath

from liveos.host.folders.in_volume import file_in
from liveos.host.volumes import SAFE_FEATURES, FatVolume
from liveos.medium.home.updates import DIRECTORY as UPDATES
from liveos.medium.model import PersistenceKind
from liveos.medium.stores import HOME_NAME, SWAP_NAME
from liveos.operations.carry import planning as carry
from liveos.operations.install.stick import Stick
from liveos.operations.steps.carry import CarryStep
from liveos.operations.steps.home import CreateHome, Encryption, HomeStep
from liveos.operations.steps.memory import (
    KeepPrivate,
    MakeHomePartition,
    MakeSwap,
    MemoryStep,
    StartStore,
    Unpack,
)
from liveos.operations.steps.overlay import OverlayStep
from liveos.operations.steps.stick import Allocate, Copy, MakeDirectories, Place, Step, Write
from liveos.operations.steps.whole_overlay import EmbeddedFilesystem, MakeImage, context_of_root

_SWAP_LABEL = "SWAP"


def root_step(stick: Stick) -> Step | MemoryStep:
    """The root image as it is, or what is nested in it."""
    payload = stick.payload
    place = Place(stick.live, f"{stick.directory}/{payload.root_name}")
    if not payload.unpacked:
        return Copy(payload.root, place)
    return Unpack(payload.root, payload.image.root.nested or "", place, payload.root_size)


def overlay_steps(
    stick: Stick, features: str
) -> Iterator[Step | MemoryStep | OverlayStep | CarryStep]:
    """``features`` are those of an ext4, in the words of mke2fs, that the image's kernel knows."""
    if stick.carried is not None and stick.carried.overlay is not None:
        yield from carry.overlay_steps(stick, stick.carried)
        return
    place, size = Place(stick.live, stick.installed.overlay_path), stick.rooms.overlay
    label = context_of_root(targeted=stick.at_boot.targeted)
    match stick.installed.overlay:
        case PersistenceKind.SNAPSHOT:
            assert size is not None
            yield Allocate(place, size)
            if stick.installed.readonly:
                yield StartStore(place)
        case PersistenceKind.DIRECTORY:
            work = f"{stick.directory}/ovlwork"
            yield MakeDirectories(stick.live, (place.path, work), selinux=label)
        case PersistenceKind.IMAGE:
            assert size is not None
            uuid = stick.request.identities.overlay_filesystem
            yield MakeImage(
                file_in(place.volume, place.path), size, EmbeddedFilesystem(uuid, features, label)
            )
        case PersistenceKind.DIRECT | None:
            return


def home_steps(stick: Stick) -> Iterator[HomeStep | MemoryStep | CarryStep]:
    """A home as a file beside the image, or in a partition of its own."""
    size, wish = stick.rooms.home, stick.request.home
    if size is None or wish is None:
        return
    if stick.carried is not None and stick.carried.home is not None:
        yield from carry.home_steps(stick, stick.carried)
        return
    ids, spec, user = stick.request.identities, str(stick.source.path), stick.at_boot.user
    encryption = Encryption(ids.home_luks) if wish.encrypted else None
    uuid, targeted = ids.home_filesystem, stick.at_boot.targeted
    partition = stick.layout.home
    if partition is not None:
        yield MakeHomePartition(
            spec=spec,
            path=stick.live.path,
            offset=partition.offset,
            size=size,
            uuid=uuid,
            features=SAFE_FEATURES,
            encryption=encryption,
            user=user,
            targeted=targeted,
        )
        return
    yield CreateHome(
        spec=spec,
        place=file_in(stick.live, f"{stick.directory}/{HOME_NAME}"),
        size=size,
        uuid=uuid,
        features=SAFE_FEATURES,
        encryption=encryption,
        user=user,
        targeted=targeted,
    )


def swap_steps(stick: Stick) -> Iterator[MemoryStep]:
    """A swap file of the name that livesys looks for."""
    if stick.rooms.swap is not None:
        place = Place(stick.live, f"{stick.directory}/{SWAP_NAME}")
        yield MakeSwap(place, stick.rooms.swap, stick.request.identities.swap, _SWAP_LABEL)


def private_steps(stick: Stick) -> Iterator[MemoryStep]:
    """What was made before gets the mode that memory must have."""
    rooms, directory = stick.rooms, stick.directory
    overlay = stick.installed.overlay_path if rooms.overlay is not None else None
    home = f"{directory}/{HOME_NAME}" if rooms.home and not stick.layout.home else None
    swap = f"{directory}/{SWAP_NAME}" if rooms.swap is not None else None
    places = tuple(Place(stick.live, path) for path in (overlay, home, swap) if path)
    if places and not isinstance(stick.live, FatVolume):
        yield KeepPrivate(places)


def update_steps(stick: Stick) -> Iterator[Step]:
    """What dracut copies over the root at each boot (boot-contract.md 2.0, step 8)."""
    files = {f"/{UPDATES}/{file.path}": file.text for file in stick.at_boot.updates}
    parents = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    if files:
        yield MakeDirectories(stick.live, tuple(sorted(parents - {"/"})))
    for path, text in files.items():
        yield Write(Place(stick.live, path), text)


def memory_record(stick: Stick) -> dict[str, object]:
    """Kinds, places and sizes; sizes in bytes, what there is not None."""
    installed, rooms = stick.installed, stick.rooms
    return {
        "overlay": None
        if installed.overlay is None
        else {
            "kind": str(installed.overlay),
            **_overlay_place(stick),
            "readonly": installed.readonly,
        },
        "temporary": stick.request.temporary,
        "home": _home_record(stick),
        "swap": None
        if rooms.swap is None
        else _file(stick, SWAP_NAME, rooms.swap, stick.request.identities.swap),
        "words": list(installed.words),
    }


def _overlay_place(stick: Stick) -> dict[str, object]:
    payload = stick.payload
    if stick.installed.overlay is PersistenceKind.DIRECT:
        return {"path": f"{stick.directory}/{payload.root_name}", "size": payload.root_size}
    return {"path": stick.installed.overlay_path, "size": stick.rooms.overlay}


def _home_record(stick: Stick) -> dict[str, object] | None:
    size, wish, ids = stick.rooms.home, stick.request.home, stick.request.identities
    if size is None or wish is None:
        return None
    uuid: object = ids.home_luks if wish.encrypted else ids.home_filesystem
    if stick.carried is not None and stick.carried.home is not None:
        uuid = stick.carried.home.uuid
    record = _file(stick, HOME_NAME, size, uuid)
    if wish.partition:
        record |= {"path": None, "partition": str(ids.home)}
    return {**record, "encrypted": wish.encrypted}


def _file(stick: Stick, name: str, size: int, uuid: object) -> dict[str, object]:
    return {"path": posixpath.join(stick.directory, name), "size": size, "uuid": str(uuid)}
