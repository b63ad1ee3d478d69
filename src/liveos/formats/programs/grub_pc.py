# SPDX-License-Identifier: Apache-2.0
"""GRUB's boot sector and core image for BIOS: the few numbers that an installer fills in.

Offsets and meanings are those of GRUB's ``include/grub/i386/pc/boot.h`` and
``grub-core/boot/i386/pc/{boot,diskboot}.S``, the same since GRUB 1.97.
"""

import struct

from liveos.formats.binary import FormatError

SECTOR = 512
BOOT_CODE_SIZE = 440
"""The boot code ends where the disk signature and the partition table begin."""

_KERNEL_SECTOR = 0x5C
_DRIVE_CHECK = 0x66
_BLOCK_LIST = SECTOR - 12
_DRIVE_CHECK_JUMP = b"\xeb\x05"
_TWO_NOPS = b"\x90\x90"


def boot_code(boot_image: bytes, core_sector: int) -> bytes:
    """The boot code of ``boot.img``, made to load the core image from ``core_sector``.

    The jump over the drive check is removed, as grub-install does for hard disks: some BIOSes
    pass a wrong drive number.

    :raises FormatError: this is not a ``boot.img``.
    """
    if len(boot_image) != SECTOR or boot_image[_DRIVE_CHECK:][:2] != _DRIVE_CHECK_JUMP:
        raise FormatError("not the boot.img of GRUB for BIOS")
    code = bytearray(boot_image[:BOOT_CODE_SIZE])
    struct.pack_into("<Q", code, _KERNEL_SECTOR, core_sector)
    code[_DRIVE_CHECK : _DRIVE_CHECK + 2] = _TWO_NOPS
    return bytes(code)


def core_image(core: bytes, core_sector: int) -> bytes:
    """A core image whose first sector loads the rest from the sectors that follow it.

    :raises FormatError: this is not a core image that begins with ``diskboot.img``.
    """
    sectors = -(-len(core) // SECTOR)
    if sectors < 2:
        raise FormatError("not a core image of GRUB for BIOS: it is shorter than two sectors")
    _, length, segment = struct.unpack_from("<QHH", core, _BLOCK_LIST)
    if length != sectors - 1:
        raise FormatError(
            f"not a core image of GRUB for BIOS: its block list names {length} sectors "
            f"of {sectors - 1}"
        )
    padded = bytearray(core.ljust(sectors * SECTOR, b"\0"))
    struct.pack_into("<QHH", padded, _BLOCK_LIST, core_sector + 1, length, segment)
    return bytes(padded)
