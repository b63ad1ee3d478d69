# SPDX-License-Identifier: Apache-2.0
"""What lies on a block device: as udev knows it, and the LiveOS images where it may be read."""

from dataclasses import dataclass

from liveos.errors import LiveosError
from liveos.formats.binary import FormatError
from liveos.host.block.device import BlockDevice
from liveos.medium.listing import list_images


@dataclass(frozen=True, slots=True)
class FoundImage:
    """A LiveOS image on a device: its directory there, and what it came from."""

    name: str
    title: str | None


def images_on(device: BlockDevice) -> tuple[FoundImage, ...] | None:
    """The images on a device; None when it cannot be read, or holds nothing that is known.

    Reads what ``liveos list`` reads: tables, directories and boot menus, not the images.
    """
    if not device.size:
        return None
    try:
        listing = list_images(device.path)
    except (LiveosError, FormatError, OSError):
        return None
    return tuple(FoundImage(each.image.name, each.title) for each in listing.images)
