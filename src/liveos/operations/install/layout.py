# SPDX-License-Identifier: Apache-2.0
"""Where the partitions of a stick lie (design.md, "What lies on a stick").

GPT with everything aligned to 4 MiB, an erase block of most flash: BIOS boot partition, ESP, LIVE,
and HOME if the home is to be a partition.
"""

import secrets
from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID, uuid4

_MIB = 1024 * 1024
ALIGNMENT = 4 * _MIB
BIOS_BOOT_SIZE = _MIB
_BACKUP_TABLE = 33 * 512
_ESP_LEAST = 64 * _MIB
_ESP_MOST = 1024 * _MIB
_LIVE_LEAST = 32 * _MIB

_TYPES = {
    "BIOS boot": UUID("21686148-6449-6e6f-744e-656564454649"),
    "ESP": UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
    "LIVE": UUID("0fc63daf-8483-4772-8e79-3d69d8477de4"),
    "HOME": UUID("933ac7e1-2eb4-4f13-b844-0e14e2aef915"),
}


@dataclass(frozen=True, slots=True)
class Identities:
    """Every number that makes a stick unique, chosen before it is planned.

    ``esp_serial`` is the 32-bit volume serial number of the ESP; ``live_filesystem`` is the UUID
    that the boot line and the overlay's name carry. The last five are those of memory that is
    wished; ``home_luks`` is the encryption around ``home_filesystem``.
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

    @classmethod
    def random(cls) -> Self:
        """New ones, for a new stick."""
        disk = (uuid4(), uuid4(), uuid4(), uuid4(), uuid4(), secrets.randbits(32))
        return cls(*disk, uuid4(), uuid4(), uuid4(), uuid4(), uuid4())

    @property
    def esp_uuid(self) -> str:
        """The serial number as Linux and GRUB write it: ``1A2B-3C4D``."""
        return f"{self.esp_serial >> 16:04X}-{self.esp_serial & 0xFFFF:04X}"


@dataclass(frozen=True, slots=True)
class PlacedPartition:
    """A partition to be made: byte range, name, and the GUID that it will have."""

    name: str
    offset: int
    size: int
    guid: UUID

    @property
    def end(self) -> int:
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class Layout:
    """The partitions of a stick of ``size`` bytes, in the order of their numbers."""

    size: int
    disk: UUID
    bios_boot: PlacedPartition
    esp: PlacedPartition
    live: PlacedPartition
    home: PlacedPartition | None = None

    @property
    def partitions(self) -> tuple[PlacedPartition, ...]:
        home = () if self.home is None else (self.home,)
        return (self.bios_boot, self.esp, self.live, *home)

    def table(self) -> tuple[tuple[str, int], ...]:
        """(what, bytes) for people."""
        return tuple((partition.name, partition.size) for partition in self.partitions)

    def sfdisk_script(self) -> str:
        """Input of sfdisk; its KiB do not depend on the sector size."""
        places = (
            f"start={place.offset // 1024}KiB, size={place.size // 1024}KiB, "
            f'type={_TYPES[place.name]}, uuid={place.guid}, name="{place.name}"'
            for place in self.partitions
        )
        return "\n".join(("label: gpt", f"label-id: {self.disk}", *places, ""))


def lay_out(size: int, boot_size: int, identities: Identities) -> Layout | None:
    """The partitions of a stick of ``size`` bytes whose kernels and loaders take ``boot_size``.

    None when nothing, or almost nothing, would be left for LIVE.
    """
    bios_boot = PlacedPartition("BIOS boot", ALIGNMENT, BIOS_BOOT_SIZE, identities.bios_boot)
    start = 2 * ALIGNMENT
    esp = PlacedPartition("ESP", start, esp_size(size, boot_size), identities.esp)
    end = _down(size - _BACKUP_TABLE)
    live = PlacedPartition("LIVE", esp.end, end - esp.end, identities.live)
    if live.size < _LIVE_LEAST:
        return None
    return Layout(size, identities.disk, bios_boot, esp, live)


def with_home(layout: Layout, size: int, guid: UUID) -> Layout:
    """LIVE gives ``size`` bytes, a multiple of `ALIGNMENT`, to a partition behind it."""
    live = replace(layout.live, size=layout.live.size - size)
    return replace(layout, live=live, home=PlacedPartition("HOME", live.end, size, guid))


def esp_size(size: int, boot_size: int) -> int:
    """A tenth of the stick, for the kernels of several images, but at most 1 GiB.

    FAT32 wants at least 65525 clusters, hence never below 64 MiB.
    """
    needed = _up(boot_size + boot_size // 16 + 8 * _MIB)
    roomy = min(max(_down(size // 10), _ESP_LEAST), _ESP_MOST)
    return max(needed, roomy)


def least_size(boot_size: int, live_size: int) -> int:
    """The least stick that has a LIVE partition of ``live_size`` bytes, in whole MiB."""
    size = 2 * ALIGNMENT + _ESP_LEAST + _up(live_size) + ALIGNMENT
    while True:
        live = _down(size - _BACKUP_TABLE) - 2 * ALIGNMENT - esp_size(size, boot_size)
        if live >= live_size:
            return size
        size += max(_MIB, _up(live_size - live))


def _down(size: int) -> int:
    return size // ALIGNMENT * ALIGNMENT


def _up(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
