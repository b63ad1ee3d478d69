# SPDX-License-Identifier: Apache-2.0
"""The LiveOS images of a medium: directories with a root image, and what boots each of them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from liveos.formats.binary import FormatError
from liveos.medium.boot_files import BootFiles
from liveos.medium.family import family_of
from liveos.medium.memory import find_memory, written_through
from liveos.medium.model import Container, Entry, FileRef, Firmware, Image, Initramfs, Root
from liveos.medium.payloads import Payload, entries_that_start, payloads_of
from liveos.medium.persistence import persistence_of
from liveos.medium.root import read_root
from liveos.medium.scene import Scene
from liveos.medium.stores import home_of, home_partition, swap_findings
from liveos.medium.use_at_boot import use_findings
from liveos.report import Finding, Severity


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
    payloads = tuple(payloads_of(scene, entries))
    boot_files, partition = BootFiles(scene), home_partition(scene.partitions)
    if len(payloads) > 1 and partition is not None and partition.filesystem is None:
        partition = None  # an empty one is nobody's
    images = []
    findings: list[Finding] = [_missing_menu(path) for menu in menus for path in menu.missing]
    for payload in payloads:
        its_own = entries_that_start(entries, payload.directory)
        own = tuple(entries if len(payloads) == 1 else its_own)
        image = _image(payload, own, boot_files, findings)
        home = home_of(image.home, partition, own, entries)
        images.append(replace(image, home=home))
        findings += use_findings(payload, images[-1])
    return Found(tuple(images), (*findings, *boot_files.findings))


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
    if memory.swap is not None:
        findings += swap_findings(payload.volume, memory.swap)
    return Image(
        name=payload.directory or "/",
        family=family,
        root=root,
        kernels=kernels,
        initramfs=initramfs,
        entries=entries,
        persistence=persistence_of(root, best, family),
        overlay=memory.overlay or written_through(root, entries),
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
