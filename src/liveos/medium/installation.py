# SPDX-License-Identifier: Apache-2.0
"""An image that lies on a stick, with everything that says how it remembers.

That is the overlay beside it, the words of its menu, and what ``image.json`` notes of both.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from liveos.errors import UnsupportedError, UsageError
from liveos.formats.binary import FileSource, FormatError
from liveos.host.folders.folder import Folder, FolderFile
from liveos.medium.home.mounting import read_live_system
from liveos.medium.image_menu import ImageMenu, find_image_menu
from liveos.medium.images import best_initramfs, find_images
from liveos.medium.installed import Installed
from liveos.medium.memory_warnings import is_read_only, named_overlay
from liveos.medium.model import Image, PersistenceKind
from liveos.medium.open_scene import scene_of_directory, scene_of_file
from liveos.medium.overlay.locate import choose_payload, parse_spec, place_in
from liveos.medium.overlay.origin import origin_in
from liveos.medium.owners_menus import NO_MENUS, OwnersMenus, find_owners_menus
from liveos.medium.payloads import Payload, find_payloads
from liveos.medium.record import find_record
from liveos.medium.scene import Scene
from liveos.medium.volume import Volume

_READ_ONLY = frozenset({"iso9660", "squashfs", "erofs"})


@dataclass(frozen=True, slots=True)
class Record:
    """``image.json``, and what is in it."""

    place: FolderFile
    facts: dict[str, object]


@dataclass(frozen=True, slots=True)
class Installation:
    """An image of a stick, open for reading.

    ``folder`` is its directory on ``volume``. ``installed`` says where the image lies and what its
    initramfs is; its ``overlay`` is what the boot entries tell: the kind of the overlay that is
    there, if one of them uses it. ``targeted`` means SELinux's policy of that name. ``menu`` is
    None on sticks of other makers: what starts the image there is in ``owners``.
    """

    spec: str
    image: Image
    volume: Volume
    folder: Folder
    installed: Installed
    targeted: bool
    menu: ImageMenu | None
    record: Record | None
    owners: OwnersMenus = NO_MENUS

    @property
    def overlay_place(self) -> FolderFile:
        """Where the initramfs looks for the overlay."""
        return FolderFile(self.folder, self.installed.overlay_path.rpartition("/")[2])

    @property
    def names(self) -> frozenset[str]:
        """Everything in the image's directory."""
        return frozenset(self.volume.list_names(f"/{self.installed.directory}"))


@contextmanager
def open_installation(spec: str) -> Iterator[Installation]:
    """The image that ``spec`` names: a stick, a device or a directory, with ``:NAME`` or not.

    :raises UsageError: there is no such thing, or it is not clear which image is meant.
    :raises UnsupportedError: it is no stick, or one that cannot be read.
    """
    path, name = parse_spec(spec)
    try:
        if path.is_dir():
            yield _found(scene_of_directory(path), spec, name)
        else:
            with FileSource(path) as source:
                yield _found(scene_of_file(path, source), spec, name)
    except FormatError as error:
        raise UnsupportedError(f"{spec}: {error}", hint="liveos inspect shows more") from error
    except FileNotFoundError as error:
        hint = "give a stick, or stick.img:NAME"
        raise UsageError(f"{error.filename}: there is no such file", hint=hint) from error


def _found(scene: Scene, spec: str, name: str | None) -> Installation:
    payload = choose_payload(scene, name)
    volume, directory = payload.volume, payload.directory
    if volume.filesystem in _READ_ONLY:
        raise UnsupportedError(
            f"{scene.path} is read-only: an overlay lies beside an image on a stick",
            hint="liveos install puts the image onto one",
        )
    images = zip(find_payloads(scene), find_images(scene).images, strict=True)
    image = next(each for other, each in images if other.node.path == payload.node.path)
    menu = find_image_menu(scene, directory)
    return Installation(
        spec=spec,
        image=image,
        volume=volume,
        folder=place_in(volume, payload.node.path).folder,
        installed=_installed(image, volume, directory, payload.node.name),
        targeted=_is_targeted(payload),
        menu=menu,
        record=read_record(volume, directory),
        owners=find_owners_menus(scene, image, directory) if menu is None else NO_MENUS,
    )


def _is_targeted(payload: Payload) -> bool:
    tree = origin_in(payload.volume, payload.node).tree
    return tree is not None and read_live_system(tree).targeted


def _installed(image: Image, volume: Volume, directory: str, root_name: str) -> Installed:
    initramfs = best_initramfs(image.initramfs)
    kind = _kind_in_use(image)
    return Installed(
        uuid=volume.uuid or "",
        label=volume.label or "",
        filesystem=volume.filesystem,
        directory=directory,
        image=root_name,
        flat=image.root.is_flat,
        family=image.family,
        dracut_version=initramfs.dracut if initramfs else None,
        overlay=kind,
        readonly=kind is not None and is_read_only(image.entries),
    )


def _kind_in_use(image: Image) -> PersistenceKind | None:
    if image.overlay is None:
        return None
    direct = image.overlay.kind is PersistenceKind.DIRECT
    used = direct or any(named_overlay(entry) for entry in image.entries)
    return image.overlay.kind if used else None


def read_record(volume: Volume, directory: str) -> Record | None:
    """The record of an image, and where it can be changed."""
    found = find_record(volume, directory)
    return None if found is None else Record(place_in(volume, found[0].path), found[1])
