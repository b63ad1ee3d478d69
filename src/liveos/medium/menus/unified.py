# SPDX-License-Identifier: Apache-2.0
"""A kernel that UEFI starts by itself: one entry, whose words lie in the image.

UAPI group, Unified Kernel Image; systemd-stub(7).
"""

from liveos.errors import UnsupportedError
from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind, Node
from liveos.host.unified import command_line_section
from liveos.medium.menus import text
from liveos.medium.model import Entry, Firmware, Menu
from liveos.medium.volume import Volume

UNIFIED_PATH = "/EFI/BOOT/BOOTX64.EFI"
"""What UEFI starts by itself (UEFI 3.5.1.1); with other loaders it is shim or GRUB."""

_TITLE = "the unified kernel image"


def find_unified(volume: Volume) -> Node | None:
    """The unified kernel image that UEFI starts by itself from this filesystem, if it does."""
    found = _find(volume)
    return found[0] if found else None


def read_unified(volume: Volume) -> Menu | None:
    """What UEFI shows of such an image, as a menu of one entry; None where there is none."""
    found = _find(volume)
    if found is None:
        return None
    node, line = found
    entry = Entry(
        title=_TITLE,
        firmware=Firmware.UEFI,
        menu=node.path,
        label=None,
        kernel=node.path,
        initrd=(),
        options=tuple(line.split()),
        command="chainloader",
        default=True,
    )
    return Menu(node.path, Firmware.UEFI, (entry,))


def _find(volume: Volume) -> tuple[Node, str] | None:
    node = volume.find_file(UNIFIED_PATH)
    if node is None or node.kind is not FileKind.FILE:
        return None
    try:
        image = volume.tree.open(node)
        section = command_line_section(image)
        length = min(section.size, text.MOST_TEXT)
        line = text.decode(image.read_at(section.offset, length).partition(b"\0")[0])
    except (FormatError, UnsupportedError):
        return None
    return node, line
