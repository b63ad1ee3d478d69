# SPDX-License-Identifier: Apache-2.0
"""The steps that bring an image more to a stick, in the order that keeps what is there.

Its directory on the ESP comes first, which tells that the one on LIVE is ours; then all that lies
in the two; when that has been read back, loaders that the stick has not had; and the menu last.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.folder import FolderFile
from liveos.host.folders.partition import PartitionFolder
from liveos.host.volumes import SAFE_FEATURES, Volume
from liveos.medium.home.updates import find_updates
from liveos.medium.model import PersistenceKind
from liveos.medium.old_stick import AnyStick
from liveos.medium.stick import OpenStick
from liveos.medium.stores import SWAP_NAME
from liveos.operations.images.menus import learn
from liveos.operations.images.mounted import opening, record_on_esp
from liveos.operations.images.plans.rubbish import clearing
from liveos.operations.install.live_contents import home_steps
from liveos.operations.install.payload import LOADER_DIRECTORY
from liveos.operations.install.sequence import features, image_record
from liveos.operations.install.stick import Stick
from liveos.operations.menus import syslinux_text
from liveos.operations.menus.text import image_menu, image_menu_path
from liveos.operations.plan import AnyStep
from liveos.operations.steps.home import CreateHome, Encryption, WriteUpdate
from liveos.operations.steps.images import (
    AddFile,
    AddRecord,
    AddSwap,
    AddText,
    GiveName,
    ImageStep,
    MakeFolder,
    RemoveFile,
)
from liveos.operations.steps.memory import StartStore, Unpack
from liveos.operations.steps.menus import NEW
from liveos.operations.steps.stick import CheckSource, Place, ReadBack, Run, Sync
from liveos.operations.steps.whole_overlay import (
    EmbeddedFilesystem,
    MakeImage,
    MakeStore,
    MakeUpper,
    context_of_root,
)

_SWAP_LABEL = "SWAP"


@dataclass(frozen=True, slots=True)
class Addition:
    """What has been decided: ``wanted`` in the words of a new stick, and the ``stick`` it is for.

    ``partition`` is the home's own, and ``additions`` what makes it.
    """

    wanted: Stick
    stick: AnyStick
    partition: PartitionFolder | None
    additions: tuple[Run, ...]

    @property
    def name(self) -> str:
        return self.wanted.request.name

    def place(self, name: str) -> FolderFile:
        """A file in the image's directory."""
        return FolderFile(self.stick.folder(self.name), name)


def addition_steps(addition: Addition, stick: OpenStick) -> Iterator[AnyStep]:
    """Everything that is done to a stick of our layout, in order."""
    wanted, payload, name = addition.wanted, addition.wanted.payload, addition.name
    yield from source_check(wanted)
    yield from opening(stick)
    yield from clearing(stick, name)
    yield MakeFolder(stick.boot_folder(name))
    yield MakeFolder(stick.folder(name))
    yield from contents(addition, wanted.esp)
    yield from record_on_esp(stick, name, image_record(wanted, wanted.entries[0].options))
    menu = image_menu(wanted.entries, payload.efi_verb)
    yield AddText(Place(wanted.esp, image_menu_path(name)), menu)
    if stick.syslinux is not None:
        own = syslinux_text.image_menu(name, wanted.entries)
        yield AddText(Place(wanted.esp, syslinux_text.image_menu_path(name)), own)
    yield Sync(stick.device)
    yield ReadBack(stick.path)
    if payload.loaders:
        yield from _loaders(wanted)
    yield from learn(stick, name)


def source_check(wanted: Stick) -> Iterator[CheckSource]:
    """Nothing is written before the source is known to be whole."""
    if wanted.checks_source and wanted.source.implanted_md5 is not None:
        yield CheckSource(wanted.source.path, wanted.source.implanted_md5.md5, meanwhile=False)


def contents(addition: Addition, boot: Volume) -> Iterator[AnyStep]:
    """Root, boot files, which lie on the volume ``boot``, memory, and the record of all."""
    wanted = addition.wanted
    yield _root(wanted)
    yield from (AddFile(file, Place(boot, path)) for file, path in wanted.payload.boot_files)
    yield from _memory(addition)
    record = Place(wanted.live, f"{wanted.directory}/image.json")
    yield AddRecord(record, image_record(wanted, wanted.entries[0].options))


def _root(wanted: Stick) -> ImageStep | Unpack:
    payload = wanted.payload
    place = Place(wanted.live, f"{wanted.directory}/{payload.root_name}")
    if not payload.unpacked:
        return AddFile(payload.root, place)
    return Unpack(payload.root, payload.image.root.nested or "", place, payload.root_size)


def _loaders(wanted: Stick) -> Iterator[AnyStep]:
    """Loaders under other names, and when they are whole, under those that firmware knows."""
    loaders, folder = wanted.payload.loaders, FatFolder(wanted.esp, LOADER_DIRECTORY)
    parts = {path: FolderFile(folder, posixpath.basename(path) + NEW) for _, path in loaders}
    yield MakeFolder(folder)
    yield from (RemoveFile(part) for part in parts.values())
    yield from (AddFile(file, Place(wanted.esp, path + NEW)) for file, path in loaders)
    yield Sync(wanted.esp.path)
    yield ReadBack(wanted.esp.path)
    yield from (GiveName(part, posixpath.basename(path)) for path, part in parts.items())


def _memory(addition: Addition) -> Iterator[AnyStep]:
    """Overlay, home, swap, and what mounts them: each whole or not there."""
    wanted, stick = addition.wanted, addition.stick
    yield from _overlay(addition)
    if addition.partition is None:
        yield from home_steps(wanted)
    else:
        yield from addition.additions
        yield _home_in(addition.partition, addition)
    if wanted.rooms.swap is not None:
        identities = wanted.request.identities
        yield AddSwap(addition.place(SWAP_NAME), wanted.rooms.swap, identities.swap, _SWAP_LABEL)
    if wanted.at_boot.updates:
        stored = find_updates(stick.live)
        yield from (
            WriteUpdate(each.place, each.file.text) for each in stored if not each.is_current
        )


def _overlay(addition: Addition) -> Iterator[AnyStep]:
    wanted = addition.wanted
    installed, size = wanted.installed, wanted.rooms.overlay
    place = addition.place(installed.overlay_path.rpartition("/")[2])
    selinux = context_of_root(targeted=wanted.at_boot.targeted)
    match installed.overlay:
        case PersistenceKind.SNAPSHOT:
            assert size is not None
            yield MakeStore(place, size)
            if installed.readonly:
                yield StartStore(Place(wanted.live, installed.overlay_path))
        case PersistenceKind.DIRECTORY:
            yield MakeUpper(place, selinux)
        case PersistenceKind.IMAGE:
            assert size is not None
            uuid = wanted.request.identities.overlay_filesystem
            filesystem = EmbeddedFilesystem(uuid, features(wanted.payload), selinux)
            yield MakeImage(place, size, filesystem)
        case PersistenceKind.DIRECT | None:
            return


def _home_in(folder: PartitionFolder, addition: Addition) -> CreateHome:
    wanted = addition.wanted
    home, identities = wanted.request.home, wanted.request.identities
    assert home is not None
    return CreateHome(
        spec=str(wanted.source.path),
        place=FolderFile(folder, folder.name),
        size=folder.size,
        uuid=identities.home_filesystem,
        features=SAFE_FEATURES,
        encryption=Encryption(identities.home_luks) if home.encrypted else None,
        user=wanted.at_boot.user,
        targeted=wanted.at_boot.targeted,
    )
