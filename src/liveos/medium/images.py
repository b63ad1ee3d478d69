# SPDX-License-Identifier: Apache-2.0
"""The LiveOS images of a medium: directories with a root image, and what boots each of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from liveos.formats.binary import FormatError
from liveos.formats.tree import Node
from liveos.medium.boot_files import BootFiles
from liveos.medium.bootline import DEFAULT_DIRECTORY
from liveos.medium.family import family_of
from liveos.medium.memory import find_memory
from liveos.medium.model import Container, Entry, FileRef, Firmware, Image, Initramfs, Root
from liveos.medium.persistence import persistence_of
from liveos.medium.root import read_root
from liveos.medium.scene import Scene
from liveos.medium.volume import Volume
from liveos.report import Finding, Severity

# In the order in which they are looked for: dracut's names first (boot-contract.md 2.0, step 4).
_ROOT_NAMES = ("squashfs.img", "rootfs.img", "ext3fs.img", "filesystem.squashfs", "install.img")
_MOST_DIRECTORIES = 1000


@dataclass(frozen=True, slots=True)
class Payload:
    """A root image's file, and the directory that it lies in, without slashes around."""

    volume: Volume
    directory: str
    node: Node


@dataclass(frozen=True, slots=True)
class Found:
    """The images, and what was noticed while they were looked at."""

    images: tuple[Image, ...]
    findings: tuple[Finding, ...]


def find_images(scene: Scene) -> Found:
    """Every image of a medium.

    An entry belongs to the image whose directory it names; where there is only one image, the
    whole menu does.
    """
    menus = [menu for menu in map(scene.menu, Firmware) if menu is not None]
    entries = [entry for menu in menus for entry in menu.entries]
    payloads = list(_payloads(scene, entries))
    boot_files = BootFiles(scene)
    images = []
    findings: list[Finding] = [_missing_menu(path) for menu in menus for path in menu.missing]
    for payload in payloads:
        own = entries if len(payloads) == 1 else _entries_of(entries, payload.directory)
        images.append(_image(payload, tuple(own), boot_files, findings))
    return Found(tuple(images), (*findings, *boot_files.findings))


def find_payloads(scene: Scene) -> tuple[Payload, ...]:
    """The root image of every image of a medium, in the order in which `find_images` has them."""
    menus = [menu for menu in map(scene.menu, Firmware) if menu is not None]
    return tuple(_payloads(scene, [entry for menu in menus for entry in menu.entries]))


def live_directory(entry: Entry) -> str:
    """The directory that an entry's initramfs will look into."""
    named = entry.option("rd.live.dir") or entry.option("live_dir") or DEFAULT_DIRECTORY
    return named.strip("/")


def _payloads(scene: Scene, entries: list[Entry]) -> Iterator[Payload]:
    names = (*_ROOT_NAMES, *filter(None, (entry.option("rd.live.squashimg") for entry in entries)))
    named = [live_directory(entry) for entry in entries if entry.live_source]
    for volume in scene.data_volumes:
        listed = volume.list_names("/")[:_MOST_DIRECTORIES]
        seen = set()
        for directory in dict.fromkeys((*named, *listed, "")):
            node = _root_file(volume, directory, names if directory else names[:1])
            if node is not None and node.number not in seen:
                seen.add(node.number)
                yield Payload(volume, node.path.rpartition("/")[0].strip("/"), node)


def _root_file(volume: Volume, directory: str, names: Iterable[str]) -> Node | None:
    """The first of these files that is in a directory."""
    there = {name.casefold() for name in volume.list_names(f"/{directory}")}
    wanted = (name for name in names if name.casefold() in there)
    found = (volume.find_file(f"/{directory}/{name}") for name in wanted)
    return next((node for node in found if node is not None), None)


def _entries_of(entries: Iterable[Entry], directory: str) -> list[Entry]:
    return [
        entry
        for entry in entries
        if entry.kernel and live_directory(entry).casefold() == directory.casefold()
    ]


def _image(
    payload: Payload, entries: tuple[Entry, ...], files: BootFiles, findings: list[Finding]
) -> Image:
    file = payload.volume.ref(payload.node)
    try:
        root = read_root(payload.volume, payload.node)
    except FormatError as error:
        root = unknown_root(file)
        findings.append(Finding("unreadable-root", Severity.WARNING, f"{file.path}: {error}"))
    kernels, initramfs = files.kernels(entries), files.initramfs(entries)
    best = best_initramfs(initramfs)
    family = family_of(entries, best.modules if best else ())
    memory = find_memory(payload.volume, payload.directory, findings)
    return Image(
        name=payload.directory or "/",
        family=family,
        root=root,
        kernels=kernels,
        initramfs=initramfs,
        entries=entries,
        persistence=persistence_of(root, best, family),
        overlay=memory.overlay,
        home=memory.home,
        swap=memory.swap,
    )


def best_initramfs(found: Iterable[Initramfs]) -> Initramfs | None:
    """The one that says most of itself: persistence is decided by it."""
    ranked = sorted(found, key=lambda each: (each.dracut is None, not each.modules))
    return ranked[0] if ranked else None


def unknown_root(file: FileRef) -> Root:
    """A root image of which nothing but its size is known."""
    return Root(file, Container.NONE, None, None, None, None, None, None, None, file.size)


def _missing_menu(path: str) -> Finding:
    return Finding(
        "missing-menu-file", Severity.WARNING, f"the boot menu names {path}, which is not there"
    )
