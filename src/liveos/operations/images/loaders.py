# SPDX-License-Identifier: Apache-2.0
"""Boot loaders of a stick that several images share: which ones come with a further image.

Those that are there stay, byte for byte: what they start is known to start.
"""

from collections.abc import Iterator

from liveos.medium.boot_trust import distrust
from liveos.medium.efi import first_loaders
from liveos.medium.model import Entry, FileRef, Firmware, Medium
from liveos.medium.old_stick import AnyStick
from liveos.medium.stick import OpenStick
from liveos.operations.install.payload import Payload


def added_loaders(
    stick: OpenStick, source: Medium, payload: Payload
) -> tuple[tuple[FileRef, str], ...]:
    """The loaders of a source for machines that the stick has none for, as of a `Payload`."""
    served = {loader.arch for loader in first_loaders(stick.boot.loaders)}
    there = {loader.path.upper() for loader in stick.boot.loaders}
    arches = {loader.file: loader.arch for loader in source.boot.loaders}
    return tuple(
        (file, place)
        for file, place in payload.loaders
        if arches.get(file) not in served and place.upper() not in there
    )


def efi_verb(stick: AnyStick, payload: Payload) -> str:
    """The verb that the GRUB on the stick knows: the one by which it starts what is there.

    Ours for BIOS knows ``linux``, and asks for nothing else (`operations.menus.text`).
    """
    return verb_of(stick) or payload.efi_verb


def verb_of(stick: AnyStick) -> str | None:
    """The verb by which the stick's GRUB starts what is there; None where it starts nothing."""
    verbs = {entry.command for entry in stick.entries if _is_efi(entry)}
    if not verbs:
        return None
    return "linuxefi" if "linuxefi" in verbs else "linux"


def loader_notes(stick: AnyStick, payload: Payload, name: str) -> Iterator[str]:
    """What the owner of the stick should know before the image ``name`` is written."""
    if payload.loaders:
        names = ", ".join(place.rpartition("/")[2] for _, place in payload.loaders)
        yield f"boot loaders that the stick has not had come with this image: {names}"
    if not stick.boot.bios:
        yield "this stick has no boot loader for BIOS: it starts on UEFI only"
    # The only image surely came with the loaders; of several, an earlier one may be a stranger.
    first = stick.images if len(stick.images) == 1 else ()
    known = [kernel for image in first for kernel in image.kernels]
    problem = distrust(stick.boot.loaders, known, payload.kernel, name)
    if problem is not None:
        yield problem


def _is_efi(entry: Entry) -> bool:
    return entry.firmware is Firmware.UEFI and bool(entry.live_source)
