# SPDX-License-Identifier: Apache-2.0
"""The images of a medium in short: what each is, what starts it, and what it remembers by."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liveos.medium.images import best_initramfs
from liveos.medium.inspect import images_of
from liveos.medium.live_scene import kind_of, opened_for_looking
from liveos.medium.model import Container, Entry, Image, Kernel, MediumKind
from liveos.medium.old_stick import unfinished_findings
from liveos.medium.overlay.room import Room, room_of
from liveos.medium.payloads import Payload, find_payloads
from liveos.medium.record import find_record, source_label
from liveos.medium.scene import Scene
from liveos.medium.stick import leftover_findings
from liveos.medium.unread import unread_records
from liveos.medium.volume import Volume
from liveos.report import Finding

_FIRST_WORDS = ("Start ", "Run ", "Boot ")


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An image with what a person asks of it first.

    ``title`` is the volume label of the ISO that it came from, as far as that is recorded, or what
    its first boot entry calls it. ``is_default`` means that the menu starts it by itself.
    """

    image: Image
    title: str | None
    is_default: bool
    dracut: str | None
    kernel: str | None
    room: Room | None

    @property
    def form(self) -> str:
        """How the root lies in its container: ``nested``, ``flat``, or ``plain`` without one."""
        root = self.image.root
        if root.container is Container.NONE:
            return "plain"
        return "flat" if root.is_flat else "nested"


@dataclass(frozen=True, slots=True)
class Listing:
    """The images of a medium. ``free`` are bytes that further ones could have, where known."""

    path: Path
    kind: MediumKind
    label: str | None
    size: int | None
    free: int | None
    images: tuple[ListedImage, ...]
    warnings: tuple[Finding, ...]


def list_images(path: Path, system: Path = Path("/")) -> Listing:
    """The images of an ISO, image file, stick, device or directory; errors are as of `inspect`.

    ``system`` stands in for / in tests.
    """
    with opened_for_looking(path, system) as (scene, _):
        found = images_of(scene)
        payloads = find_payloads(scene)
        unread = (None,) * (len(found.images) - len(payloads))
        pairs = zip((*payloads, *unread), found.images, strict=True)
        listed = tuple(_listed(scene, payload, image) for payload, image in pairs)
        free = next((_free(payload.volume) for payload in payloads), None)
        left = (*leftover_findings(scene), *unfinished_findings(scene))
        warnings = (*scene.findings, *found.findings, *left)
    kind = kind_of(path, scene)
    return Listing(scene.path, kind, scene.label, scene.size, free, listed, warnings)


def _listed(scene: Scene, payload: Payload | None, image: Image) -> ListedImage:
    best = best_initramfs(image.initramfs)
    room = None
    if payload is not None and image.overlay is not None:
        room = room_of(payload.volume, image.overlay, image.root)
    return ListedImage(
        image=image,
        title=_title(scene, payload, image),
        is_default=any(entry.default for entry in image.entries),
        dracut=best.dracut if best else None,
        kernel=_kernel(image) or (best.kernel if best else None),
        room=room,
    )


def _kernel(image: Image) -> str | None:
    """The version of the kernel that starts by itself, else of the first one."""
    defaults = {entry.kernel for entry in image.entries if entry.default}
    ranked = sorted(image.kernels, key=lambda kernel: not _is_named(kernel, defaults))
    return ranked[0].version if ranked else None


def _is_named(kernel: Kernel, paths: Iterable[str | None]) -> bool:
    return any(path and path.casefold() == kernel.file.path.casefold() for path in paths)


def _title(scene: Scene, payload: Payload | None, image: Image) -> str | None:
    if scene.kind is MediumKind.ISO:
        return scene.label
    recorded = source_label(_record(scene, payload, image))
    return recorded or _entry_title(image.entries) or image.root.label


def _record(scene: Scene, payload: Payload | None, image: Image) -> dict[str, Any]:
    """What an installation has noted beside the image, or on the ESP where that is not read."""
    if payload is None:
        return dict(unread_records(scene, frozenset())).get(image.name, {})
    found = find_record(payload.volume, payload.directory)
    return {} if found is None else found[1]


def _entry_title(entries: Iterable[Entry]) -> str | None:
    # The default of a menu may be an entry that checks the medium first.
    ranked = sorted(entries, key=lambda entry: (entry.live_source is None, entry.checks_media))
    if not ranked:
        return None
    title = ranked[0].title.strip()
    for word in _FIRST_WORDS:
        title = title.removeprefix(word)
    return title or None


def _free(volume: Volume) -> int | None:
    if volume.size is None or volume.used_size is None:
        return None
    return max(0, volume.size - volume.used_size)
