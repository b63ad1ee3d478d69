# SPDX-License-Identifier: Apache-2.0
"""Where the partitions of a stick lie (design.md, "What lies on a stick").

Everything is aligned to 4 MiB, an erase block of most flash: a BIOS boot partition where the table
is a GPT, ESP, LIVE, HOME if the home is to be a partition, and DATA if one is wished.
"""

import secrets
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Self
from uuid import UUID, uuid4
from zlib import crc32

_MIB = 1024 * 1024
ALIGNMENT = 4 * _MIB
BIOS_BOOT_SIZE = _MIB
_BACKUP_TABLE = 33 * 512
_ESP_LEAST = 64 * _MIB
_ESP_MOST = 1024 * _MIB
_LIVE_LEAST = 32 * _MIB

_SECTOR = 512

MOST_ON_MSDOS = (1 << 32) * _SECTOR
"""Bytes; an entry of an MBR has 32 bits for a number of sectors."""


class Table(StrEnum):
    """The kind of a partition table, in the words of parted."""

    GPT = "gpt"
    MSDOS = "msdos"


class PartitionType(Enum):
    """What a partition is for: its GUID in a GPT, its byte in an MBR.

    Windows shows what is of a ``DATA`` type; an ``ESP`` it hides.
    """

    BIOS_BOOT = ("21686148-6449-6e6f-744e-656564454649", "da")
    ESP = ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "ef")
    ESP_WITH_DATA = ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "c")
    LINUX = ("0fc63daf-8483-4772-8e79-3d69d8477de4", "83")
    HOME = ("933ac7e1-2eb4-4f13-b844-0e14e2aef915", "83")
    DATA = ("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "7")
    FAT_DATA = ("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "c")

    def word(self, table: Table) -> str:
        """As a script of sfdisk says it."""
        return self.value[table is Table.MSDOS]


@dataclass(frozen=True, slots=True)
class Identities:
    """Every number that makes a stick unique, chosen before it is planned.

    ``esp_serial`` is the 32-bit volume serial number of the ESP; ``live_filesystem`` is the UUID
    that the boot line and the overlay's name carry. The last are those of memory and of the data
    partition that are wished; ``home_luks`` is the encryption around ``home_filesystem``.
    """

    disk: UUID
    bios_boot: UUID
    esp: UUID
    live: UUID
    live_filesystem: UUID
    esp_serial: int
    overlay_filesystem: UUID
    home: UUID
    home_filesystem: UUID
    home_luks: UUID
    swap: UUID
    data: UUID

    @classmethod
    def random(cls) -> Self:
        """New ones, for a new stick."""
        disk = (uuid4(), uuid4(), uuid4(), uuid4(), uuid4(), secrets.randbits(32))
        return cls(*disk, uuid4(), uuid4(), uuid4(), uuid4(), uuid4(), uuid4())

    @property
    def esp_uuid(self) -> str:
        """The serial number as Linux and GRUB write it: ``1A2B-3C4D``."""
        return serial_text(self.esp_serial)

    @property
    def live_serial(self) -> int:
        """The volume serial number of LIVE where it is FAT."""
        return crc32(self.live_filesystem.bytes) or 1  # none has the number 0

    @property
    def disk_signature(self) -> int:
        """The 32 bits by which an MBR tells its disk from others."""
        return self.disk.int & 0xFFFFFFFF


def serial_text(serial: int) -> str:
    """A FAT's volume serial number in the words of blkid."""
    return f"{serial >> 16:04X}-{serial & 0xFFFF:04X}"


@dataclass(frozen=True, slots=True)
class PlacedPartition:
    """A partition to be made: byte range, name, and the GUID that it will have in a GPT.

    A firmware's BIOS may start from the one that is ``active``.
    """

    name: str
    offset: int
    size: int
    guid: UUID
    type: PartitionType = PartitionType.LINUX
    active: bool = False

    @property
    def end(self) -> int:
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class Layout:
    """The partitions of a stick of ``size`` bytes.

    Where one partition is both ``esp`` and ``live``, they are the same. An MBR leaves room before
    the first partition, so there is no ``bios_boot``.
    """

    size: int
    table_kind: Table
    disk: UUID
    signature: int
    bios_boot: PlacedPartition | None
    esp: PlacedPartition
    live: PlacedPartition
    home: PlacedPartition | None = None
    data: PlacedPartition | None = None

    @property
    def is_single(self) -> bool:
        """ESP and LIVE are one partition."""
        return self.esp == self.live

    @property
    def partitions(self) -> tuple[PlacedPartition, ...]:
        """In the order of their numbers."""
        all_of_them = (self.bios_boot, self.esp, self.live, self.home, self.data)
        return tuple(dict.fromkeys(each for each in all_of_them if each is not None))

    @property
    def core(self) -> tuple[int, int]:
        """(offset, size) in bytes of the place for a core image of GRUB."""
        if self.bios_boot is not None:
            return self.bios_boot.offset, self.bios_boot.size
        return _SECTOR, ALIGNMENT - _SECTOR

    def table(self) -> tuple[tuple[str, int], ...]:
        """(what, bytes) for people."""
        return tuple((partition.name, partition.size) for partition in self.partitions)

    def sfdisk_script(self) -> str:
        """Input of sfdisk; its KiB do not depend on the sector size."""
        if self.table_kind is Table.MSDOS:
            head = ("label: dos", f"label-id: 0x{self.signature:08x}")
        else:
            head = ("label: gpt", f"label-id: {self.disk}")
        return "\n".join((*head, *map(self._line, self.partitions), ""))

    def _line(self, place: PlacedPartition) -> str:
        where = f"start={place.offset // 1024}KiB, size={place.size // 1024}KiB"
        kind = f"{where}, type={place.type.word(self.table_kind)}"
        if self.table_kind is Table.MSDOS:
            return f"{kind}, bootable" if place.active else kind
        # Bit 2, by which SYSLINUX's boot code in a GPT's MBR finds its partition.
        attributes = ', attrs="LegacyBIOSBootable"' if place.active else ""
        return f'{kind}, uuid={place.guid}, name="{place.name}"{attributes}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is wished of the partitions.

    ``single`` makes ESP and LIVE one. ``active`` marks the partition that BIOS starts from in a
    GPT, too; in an MBR it always is. ``data`` is the size of the partition for the owner's files in
    bytes, a multiple of `ALIGNMENT`, and ``data_type`` what Windows takes it for.
    """

    table: Table = Table.GPT
    single: bool = False
    active: bool = False
    data: int = 0
    data_type: PartitionType = PartitionType.DATA

    @property
    def start(self) -> int:
        """Where the first partition with a filesystem begins, in bytes."""
        return ALIGNMENT if self.table is Table.MSDOS else 2 * ALIGNMENT

    def esp_size(self, size: int, boot_size: int) -> int:
        """The bytes of an ESP of its own."""
        return 0 if self.single else esp_size(size - self.data, boot_size)


DEFAULT_SHAPE = Shape()


def lay_out(
    size: int, boot_size: int, identities: Identities, shape: Shape = DEFAULT_SHAPE
) -> Layout | None:
    """The partitions of a stick of ``size`` bytes whose kernels and loaders take ``boot_size``.

    None when nothing, or almost nothing, would be left for LIVE.
    """
    active = shape.active or shape.table is Table.MSDOS
    end = _down(size - _BACKUP_TABLE)
    live = PlacedPartition(
        "LIVE",
        shape.start + shape.esp_size(size, boot_size),
        end - shape.data - shape.start - shape.esp_size(size, boot_size),
        identities.live,
        PartitionType.ESP_WITH_DATA if shape.single else PartitionType.LINUX,
        active=active and shape.single,
    )
    if live.size < _LIVE_LEAST:
        return None
    esp = PlacedPartition(
        "ESP", shape.start, live.offset - shape.start, identities.esp, PartitionType.ESP, active
    )
    return Layout(
        size,
        shape.table,
        identities.disk,
        identities.disk_signature,
        _bios_boot(identities) if shape.table is Table.GPT else None,
        live if shape.single else esp,
        live,
        data=_data(end - shape.data, shape, identities) if shape.data else None,
    )


def _bios_boot(identities: Identities) -> PlacedPartition:
    return PlacedPartition(
        "BIOS boot", ALIGNMENT, BIOS_BOOT_SIZE, identities.bios_boot, PartitionType.BIOS_BOOT
    )


def _data(offset: int, shape: Shape, identities: Identities) -> PlacedPartition:
    return PlacedPartition("DATA", offset, shape.data, identities.data, shape.data_type)


def with_home(layout: Layout, size: int, guid: UUID) -> Layout:
    """LIVE gives ``size`` bytes, a multiple of `ALIGNMENT`, to a partition behind it."""
    live = replace(layout.live, size=layout.live.size - size)
    home = PlacedPartition("HOME", live.end, size, guid, PartitionType.HOME)
    return replace(layout, live=live, home=home, esp=live if layout.is_single else layout.esp)


def esp_size(size: int, boot_size: int) -> int:
    """A tenth of the stick, for the kernels of several images, but at most 1 GiB.

    FAT32 wants at least 65525 clusters, hence never below 64 MiB.
    """
    needed = _up(boot_size + boot_size // 16 + 8 * _MIB)
    roomy = min(max(_down(size // 10), _ESP_LEAST), _ESP_MOST)
    return max(needed, roomy)


def least_size(boot_size: int, live_size: int, shape: Shape = DEFAULT_SHAPE) -> int:
    """The least stick that has a LIVE partition of ``live_size`` bytes, in whole MiB."""
    esp_least = 0 if shape.single else _ESP_LEAST
    size = shape.start + esp_least + _up(live_size) + shape.data + ALIGNMENT
    while True:
        before = shape.start + shape.esp_size(size, boot_size)
        live = _down(size - _BACKUP_TABLE) - shape.data - before
        if live >= live_size:
            return size
        size += max(_MIB, _up(live_size - live))


def _down(size: int) -> int:
    return size // ALIGNMENT * ALIGNMENT


def _up(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
