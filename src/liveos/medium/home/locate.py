# SPDX-License-Identifier: Apache-2.0
"""The home of an image on a stick: where it lies or would lie, and what the image does with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from liveos.errors import UnsupportedError, UsageError
from liveos.formats.binary import ByteSource, FileSource, FormatError
from liveos.formats.tree import FileTree
from liveos.host.folders.folder import FolderFile
from liveos.host.folders.partition import PartitionFolder
from liveos.medium.home.mounting import (
    LiveSystem,
    Mounting,
    choose_mounting,
    read_live_system,
)
from liveos.medium.home.updates import StoredUpdate, find_updates
from liveos.medium.image_menu import ImageMenu, find_image_menu
from liveos.medium.images import find_images
from liveos.medium.installation import Record, read_record
from liveos.medium.model import Image, Overlay, PersistenceKind
from liveos.medium.open_scene import scene_of_directory, scene_of_file
from liveos.medium.overlay.locate import choose_payload, parse_spec, place_in
from liveos.medium.overlay.origin import origin_in
from liveos.medium.owners_menus import NO_MENUS, OwnersMenus, find_owners_menus
from liveos.medium.payloads import find_payloads
from liveos.medium.scene import Scene
from liveos.medium.stores import HOME_NAME, home_of, home_partition, room_behind, store_in
from liveos.medium.volume import Volume

_READ_ONLY = frozenset({"iso9660", "squashfs", "erofs"})


@dataclass(frozen=True, slots=True)
class OpenHome:
    """An image of a stick, open for reading, with or without a home.

    ``place`` is where its home is or would be, ``source`` the bytes of one that is there.
    ``tree`` are the files of the root, ``system`` what they tell; None where they cannot be read.
    ``overlay_used`` means that the image has been started with an overlay of its own before.
    ``menu`` is its own on a stick of ours; on others, ``owners`` is what starts it.
    ``updates`` are the files of our units, there or not;
    they are wanted when, even without this home, some entry of the stick goes by them.
    ``partition`` is the UUID of what is in a partition, where the home is in one. ``record`` is
    the image's ``image.json``.
    """

    place: FolderFile
    directory: str
    source: ByteSource | None
    image: Image
    tree: FileTree | None
    system: LiveSystem | None
    overlay_used: bool
    menu: ImageMenu | None = None
    updates: tuple[StoredUpdate, ...] = ()
    updates_wanted: bool = False
    scene: Scene | None = None
    partition: str | None = None
    record: Record | None = None
    owners: OwnersMenus = NO_MENUS

    def mounting(self, *, encrypted: bool) -> Mounting:
        """How a home of this kind would be mounted."""
        return choose_mounting(
            self.system,
            self.image,
            self.directory,
            encrypted=encrypted,
            partition=self.partition,
        )


@contextmanager
def open_home(spec: str) -> Iterator[OpenHome]:
    """The image that ``spec`` names: a stick, a device or a directory, with ``:NAME`` or not.

    :raises UsageError: there is no such thing, or it is not clear which image is meant.
    :raises UnsupportedError: it is no stick, or one that cannot be read.
    """
    with _scene(spec) as (scene, name):
        yield _found(scene, name)


@contextmanager
def open_root(spec: str) -> Iterator[FileTree | None]:
    """The files of an image's root, None if they cannot be read; ``spec`` may name an ISO, too."""
    with _scene(spec) as (scene, name):
        payload = choose_payload(scene, name)
        yield origin_in(payload.volume, payload.node).tree


@contextmanager
def _scene(spec: str) -> Iterator[tuple[Scene, str | None]]:
    path, name = parse_spec(spec)
    try:
        if path.is_dir():
            yield scene_of_directory(path), name
        else:
            with FileSource(path) as source:
                yield scene_of_file(path, source), name
    except FormatError as error:
        raise UnsupportedError(f"{spec}: {error}", hint="liveos inspect shows more") from error
    except FileNotFoundError as error:
        hint = "give a stick, or stick.img:NAME"
        raise UsageError(f"{error.filename}: there is no such file", hint=hint) from error


def _found(scene: Scene, name: str | None) -> OpenHome:
    payload = choose_payload(scene, name)
    volume, directory = payload.volume, payload.directory
    if volume.filesystem in _READ_ONLY:
        raise UnsupportedError(
            f"{scene.path} is read-only: a home is a file beside an image on a stick",
            hint="liveos install puts the image onto one",
        )
    all_images = find_images(scene).images
    images = zip(find_payloads(scene), all_images, strict=True)
    image = next(each for other, each in images if other.node.path == payload.node.path)
    tree = origin_in(volume, payload.node).tree
    place, source, uuid = _home(scene, volume, directory, image)
    menu = find_image_menu(scene, directory)
    return OpenHome(
        place=place,
        directory=directory,
        source=source,
        image=image,
        tree=tree,
        system=None if tree is None else read_live_system(tree),
        overlay_used=_is_used(volume, image.overlay),
        menu=menu,
        updates=find_updates(volume),
        updates_wanted=any(_wants_updates(each, each is image) for each in all_images),
        scene=scene,
        partition=uuid,
        record=read_record(volume, directory),
        owners=find_owners_menus(scene, image, directory) if menu is None else NO_MENUS,
    )


def _home(
    scene: Scene, volume: Volume, directory: str, image: Image
) -> tuple[FolderFile, ByteSource | None, str | None]:
    """Where the home is or would be, its bytes, and the UUID of one in a partition."""
    path = f"/{directory}/{HOME_NAME}"
    file = store_in(volume, path)
    chosen = home_of(file, home_partition(scene.partitions), image.entries)
    if chosen is None or chosen.partition is None or chosen.filesystem is None:
        node = volume.find_file(path)
        return (
            place_in(volume, node.path if node else path),
            volume.tree.open(node) if node else None,
            None,
        )
    found = next(each for each in scene.partitions if each.number == chosen.partition)
    room = room_behind(scene.partitions, found.offset + found.size, scene.size)
    folder = PartitionFolder(
        scene.path, found.offset, found.size, found.number, filled=True, room=room
    )
    return FolderFile(folder, folder.name), _PartitionSource(folder), chosen.uuid


class _PartitionSource:
    """The bytes of a partition, opened anew for each reading."""

    def __init__(self, folder: PartitionFolder) -> None:
        self._folder = folder
        self.size = folder.size

    def read_at(self, offset: int, length: int) -> bytes:
        with self._folder.open(self._folder.name) as file:
            return file.read_at(offset, length)


def _wants_updates(image: Image, without_home: bool) -> bool:  # noqa: FBT001 - one caller
    """Whether an entry of the image has a word for one of our units."""
    names = {word.partition("=")[0] for entry in image.entries for word in entry.options}
    return bool(names & ({"liveos.swap"} if without_home else {"liveos.home", "liveos.swap"}))


def _is_used(volume: Volume, overlay: Overlay | None) -> bool:
    """Whether an overlay may know of a user already; a blank one cannot."""
    if overlay is None:
        return False
    if overlay.kind is PersistenceKind.DIRECTORY:
        return bool(volume.list_names(overlay.path))
    return overlay.state != "blank"
