# SPDX-License-Identifier: Apache-2.0
"""El Torito 1.0 boot catalogues, and the boot code in the system area of hybrid ISOs."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.iso9660.descriptors import SECTOR_SIZE, DescriptorType, read_descriptors

_ENTRY_SIZE = 32
_MOST_ENTRIES = SECTOR_SIZE // _ENTRY_SIZE
_BOOT_SYSTEM = b"EL TORITO SPECIFICATION".ljust(32, b"\0")
_CATALOGUE_POINTER = slice(0x47, 0x4B)


class Platform(IntEnum):
    """The machine that a boot image is for."""

    X86 = 0x00
    POWERPC = 0x01
    MAC = 0x02
    UEFI = 0xEF


class Media(IntEnum):
    """How the firmware shows the image."""

    NO_EMULATION = 0
    FLOPPY_1200 = 1
    FLOPPY_1440 = 2
    FLOPPY_2880 = 3
    HARD_DISK = 4


class _Header(IntEnum):
    """The first byte of an entry in the catalogue."""

    VALIDATION = 0x01
    EXTENSION = 0x44
    NOT_BOOTABLE = 0x00
    BOOTABLE = 0x88
    SECTION = 0x90
    LAST_SECTION = 0x91


class HybridCode(StrEnum):
    """Whose boot code lies in the first sector, so that the ISO starts from a disk, too."""

    ISOLINUX = "isolinux"
    GRUB = "grub"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class BootImage:
    """An entry of the catalogue.

    ``platform`` and ``media`` are plain numbers where they are unknown. ``size`` is what the
    catalogue says to load, in bytes: for BIOS images often only the first part of the file.
    """

    platform: int
    media: int
    bootable: bool
    lba: int
    size: int

    @property
    def offset(self) -> int:
        """Where the image begins, in bytes of the ISO."""
        return self.lba * SECTOR_SIZE


def read_catalogue(source: ByteSource) -> tuple[BootImage, ...]:
    """The boot images of an ISO; empty when it has no catalogue.

    :raises FormatError: the catalogue's own checksum or marks are wrong.
    """
    for descriptor in read_descriptors(source):
        data = descriptor.data
        if descriptor.type == DescriptorType.BOOT and data[7:39] == _BOOT_SYSTEM:
            lba = int.from_bytes(data[_CATALOGUE_POINTER], "little")
            return tuple(_read_entries(source.read_at(lba * SECTOR_SIZE, SECTOR_SIZE)))
    return ()


def read_hybrid_code(source: ByteSource) -> HybridCode | None:
    """Whose boot code is in the first sector; None when a BIOS cannot start it as a disk."""
    if source.size < 512:
        return None
    sector = source.read_at(0, 512)
    if sector[510:] != b"\x55\xaa" or not any(sector[:440]):
        return None
    if b"isolinux.bin" in sector[:440]:
        return HybridCode.ISOLINUX
    return HybridCode.GRUB if b"GRUB" in sector[:440] else HybridCode.OTHER


def _read_entries(catalogue: bytes) -> Iterator[BootImage]:
    validation = catalogue[:_ENTRY_SIZE]
    words = (validation[i] | validation[i + 1] << 8 for i in range(0, _ENTRY_SIZE, 2))
    if validation[0] != _Header.VALIDATION or validation[30:] != b"\x55\xaa" or sum(words) % 65536:
        raise FormatError("the El Torito boot catalogue is damaged")
    platform, waiting, last = validation[1], 1, False
    for number in range(1, _MOST_ENTRIES):
        entry = catalogue[number * _ENTRY_SIZE : (number + 1) * _ENTRY_SIZE]
        if entry[0] == _Header.EXTENSION:
            continue
        if waiting:
            yield _boot_image(platform, entry)
            waiting -= 1
        elif last or entry[0] not in {_Header.SECTION, _Header.LAST_SECTION}:
            return
        else:
            platform, waiting = entry[1], int.from_bytes(entry[2:4], "little")
            last = entry[0] == _Header.LAST_SECTION


def _boot_image(platform: int, entry: bytes) -> BootImage:
    return BootImage(
        platform=Platform(platform) if platform in set(Platform) else platform,
        media=Media(entry[1] & 0x0F) if entry[1] & 0x0F in set(Media) else entry[1] & 0x0F,
        bootable=entry[0] == _Header.BOOTABLE,
        lba=int.from_bytes(entry[8:12], "little"),
        size=int.from_bytes(entry[6:8], "little") * 512,
    )
