# SPDX-License-Identifier: Apache-2.0
"""A kernel that UEFI starts by itself: one entry, whose words lie in the image.

UAPI group, Unified Kernel Image; systemd-stub(7).
"""

from liveos.formats.binary import FormatError
from liveos.formats.programs.pe import Role, read_pe, read_section
from liveos.formats.tree import FileKind, Node
from liveos.host.unified import COMMAND_LINE
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
        found = read_pe(image)
        line = read_section(image, found, COMMAND_LINE, text.MOST_TEXT)
    except FormatError:
        return None
    if found.role is not Role.UKI or line is None:
        return None
    return node, text.decode(line.partition(b"\0")[0])
