# SPDX-License-Identifier: Apache-2.0
"""Images on filesystems that are not read here (Btrfs, XFS, F2FS): what the ESP tells of them.

An installation leaves a second ``image.json`` there, beside the kernel. It says what was made, not
what has become of it.
"""

from collections.abc import Iterator
from typing import Any

from liveos.medium.boot_files import BootFiles
from liveos.medium.family import family_of
from liveos.medium.menus.unified import UNIFIED_PATH
from liveos.medium.model import (
    Container,
    Entry,
    FileRef,
    Firmware,
    Image,
    MediumKind,
    Overlay,
    PersistenceKind,
    Root,
    Store,
)
from liveos.medium.record import find_record, noted_files
from liveos.medium.scene import Scene
from liveos.medium.stores import home_of, home_partition

DIRECTORY = "/liveos"
_MOST_IMAGES = 100


def unread_images(scene: Scene, known: frozenset[str]) -> Iterator[Image]:
    """Images of a stick that are not among the ``known`` ones, as their records say."""
    menus = [menu for menu in map(scene.menu, Firmware) if menu is not None]
    entries = [entry for menu in menus for entry in menu.entries]
    for name, record in unread_records(scene, known):
        starts = (f"{DIRECTORY}/{name}/", UNIFIED_PATH)
        own = tuple(each for each in entries if (each.kernel or "").startswith(starts))
        yield _image(scene, name, record, own)


def unread_records(scene: Scene, known: frozenset[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, record) of these images."""
    if scene.kind is not MediumKind.DISK or scene.mounted is not None:
        return
    for volume in scene.volumes:
        for name in volume.list_names(DIRECTORY)[:_MOST_IMAGES]:
            found = find_record(volume, f"{DIRECTORY[1:]}/{name}")
            if found is not None and name not in known:
                yield name, found[1]


def _image(scene: Scene, name: str, record: dict[str, Any], entries: tuple[Entry, ...]) -> Image:
    files = BootFiles(scene)
    initramfs = files.initramfs(entries)
    partition = home_partition(scene.partitions)
    return Image(
        name=name,
        family=family_of(entries, [word for each in initramfs for word in each.modules]),
        root=_root(scene, record),
        kernels=files.kernels(entries),
        initramfs=initramfs,
        entries=entries,
        overlay=_overlay(record.get("overlay")),
        home=home_of(_store(record.get("home")), partition, entries),
        swap=_store(record.get("swap")),
    )


def _root(scene: Scene, record: dict[str, Any]) -> Root:
    """The file on LIVE, of which nothing but its size is known."""
    for noted in noted_files(record):
        if noted.partition == "LIVE" and noted.size >= 0:
            ref = FileRef(noted.path, noted.size, scene.path, None)
            return Root(ref, Container.NONE, None, None, None, None, None, None, None, noted.size)
    return Root(None, Container.NONE, None, None, None, None, None, None, None, 0)


def _overlay(record: object) -> Overlay | None:
    if not isinstance(record, dict):
        return None
    kind, path, size = record.get("kind"), record.get("path"), record.get("size")
    if kind not in set(PersistenceKind) or not isinstance(path, str):
        return None
    return Overlay(PersistenceKind(kind), path, size if isinstance(size, int) else None)


def _store(record: object) -> Store | None:
    """A file beside the image; a partition has no path."""
    if not isinstance(record, dict):
        return None
    path, size, uuid = record.get("path"), record.get("size"), record.get("uuid")
    if not isinstance(path, str) or not isinstance(size, int):
        return None
    encrypted = record.get("encrypted") is True
    return Store(path, size, encrypted, uuid=uuid if isinstance(uuid, str) else None)
