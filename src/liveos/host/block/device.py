# SPDX-License-Identifier: Apache-2.0
"""What a disk is: make, serial number, size, bus, and what udev knows to be on it.

sysfs tells nearly all of it to everybody (Linux, Documentation/ABI); what udev has noted comes
first where it has the same fact, so that serial numbers are those that ``lsblk`` shows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from liveos.host.block.machine import (
    Machine,
    dev_path,
    is_partition,
    number,
    partitions,
    text,
    whole,
)
from liveos.host.block.uses import Use, uses_of

_SECTOR = 512  # the unit of ``size`` and ``start``, whatever the disk's own sectors are
_OPTICAL = "5"  # SCSI peripheral device type
_NOT_DISKS = re.compile(r"(ram|fd)\d+")
_VIRTUAL = re.compile(r"(loop|dm-|md|zram|nbd|bcache)")
# The directory of sysfs that a device lies below tells its bus; the inner one counts.
_BUSES = (
    (re.compile(r"/usb\d+/"), "usb"),
    (re.compile(r"/mmc_host/"), "mmc"),
    (re.compile(r"/nvme/|/nvme-subsystem/"), "nvme"),
    (re.compile(r"/fw\d+/"), "firewire"),
    (re.compile(r"/virtio\d+/"), "virtio"),
    (re.compile(r"/ata\d+/"), "ata"),
    (re.compile(r"/host\d+/"), "scsi"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A partition: its place in bytes, and what udev has found in it."""

    path: Path
    offset: int
    size: int
    name: str | None = None
    filesystem: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """A disk, or a partition of one: then ``disk`` is the path of the whole.

    ``diskseq`` is a number that no other disk gets while the machine runs (Linux 5.15 or newer).
    ``is_removable`` says that it can be pulled out. ``table`` and ``filesystem`` are what udev has
    found on the whole.
    """

    path: Path
    size: int
    bus: str | None = None
    model: str | None = None
    serial: str | None = None
    diskseq: int | None = None
    is_removable: bool = False
    is_read_only: bool = False
    is_optical: bool = False
    sector_size: int = _SECTOR
    disk: Path | None = None
    uses: tuple[Use, ...] = ()
    table: str | None = None
    filesystem: str | None = None
    label: str | None = None
    parts: tuple[Part, ...] = ()

    @property
    def made_by(self) -> str:
        """Model and serial number in words."""
        serial = f"serial {self.serial}" if self.serial else "no serial number"
        return f"{self.model or 'unknown model'}, {serial}"


def devices(machine: Machine) -> tuple[BlockDevice, ...]:
    """Every disk but floppies, RAM disks, hidden paths and virtual devices that nobody has set up.

    An empty card reader, or a drive without a disk, has size 0.
    """
    return tuple(device_at(disk, machine) for disk in machine.disks() if _is_shown(disk))


def _is_shown(disk: Path) -> bool:
    if _NOT_DISKS.fullmatch(disk.name) or text(disk / "hidden") == "1":
        return False
    return not _VIRTUAL.match(disk.name) or bool(number(disk / "size"))


def device_at(node: Path, machine: Machine) -> BlockDevice:
    """The facts about the disk or partition that ``node`` of sysfs describes."""
    disk = whole(node)
    udev, bus = machine.udev(disk), _bus(disk)
    return BlockDevice(
        path=Path(dev_path(node)),
        size=(number(node / "size") or 0) * _SECTOR,
        bus=bus,
        model=_model(disk, udev),
        serial=_serial(disk, udev),
        diskseq=number(disk / "diskseq"),
        is_removable=_is_removable(disk, bus),
        is_read_only=text(node / "ro") == "1",
        is_optical=text(disk / "device/type") == _OPTICAL or disk.name.startswith("sr"),
        sector_size=number(disk / "queue/logical_block_size") or _SECTOR,
        disk=Path(dev_path(disk)) if is_partition(node) else None,
        uses=uses_of(node, machine),
        table=udev.get("ID_PART_TABLE_TYPE"),
        filesystem=udev.get("ID_FS_TYPE"),
        label=_label(udev),
        parts=tuple(_part(part, machine) for part in partitions(disk)),
    )


def _part(node: Path, machine: Machine) -> Part:
    udev = machine.udev(node)
    return Part(
        path=Path(dev_path(node)),
        offset=(number(node / "start") or 0) * _SECTOR,
        size=(number(node / "size") or 0) * _SECTOR,
        name=_decoded(udev.get("ID_PART_ENTRY_NAME")),
        filesystem=udev.get("ID_FS_TYPE"),
        label=_label(udev),
    )


def _label(udev: dict[str, str]) -> str | None:
    return _decoded(udev.get("ID_FS_LABEL_ENC")) or udev.get("ID_FS_LABEL") or None


def _decoded(word: str | None) -> str | None:
    r"""Udev writes what could harm a script as ``\xNN``, byte by byte."""
    if word is None:
        return None
    plain = re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), word.encode())
    return plain.decode("utf-8", "replace")


def _bus(disk: Path) -> str | None:
    place = str((disk / "device").resolve()) + "/" if (disk / "device").exists() else ""
    return next((name for pattern, name in _BUSES if pattern.search(place)), None)


def _is_removable(disk: Path, bus: str | None) -> bool:
    """A medium that comes out, a device that is plugged in, or an SD card (not an eMMC)."""
    if text(disk / "removable") == "1" or bus in {"usb", "firewire"}:
        return True
    return bus == "mmc" and text(disk / "device/type") == "SD"


def _model(disk: Path, udev: dict[str, str]) -> str | None:
    vendor, model = text(disk / "device/vendor"), text(disk / "device/model")
    if model is None:
        other = text(disk / "device/name") or text(disk / "loop/backing_file")
        return other or udev.get("ID_MODEL")
    # A vendor of virtio is a number; "ATA" says nothing of who made a disk.
    known = vendor if vendor and vendor != "ATA" and not vendor.startswith("0x") else ""
    return f"{known} {model}".strip() or None


def _serial(disk: Path, udev: dict[str, str]) -> str | None:
    """The order of the names is that of ``lsblk`` (util-linux, lsblk-properties.c)."""
    for name in ("ID_SCSI_SERIAL", "ID_SERIAL_SHORT"):
        if serial := udev.get(name, "").strip():
            return serial
    return next(filter(None, _serials_of_kernel(disk)), None)


def _serials_of_kernel(disk: Path) -> Iterator[str | None]:
    yield text(disk / "serial")  # virtio
    yield text(disk / "device/serial")  # NVMe, MMC
    yield _usb_serial(disk)
    yield _vital_product_data(disk / "device/vpd_pg80")


def _usb_serial(disk: Path) -> str | None:
    """That of the nearest USB device above."""
    place = (disk / "device").resolve()
    above = (each for each in place.parents if (each / "idVendor").exists())
    return next((text(each / "serial") for each in above), None)


def _vital_product_data(page: Path) -> str | None:
    """SCSI, unit serial number page (SPC-4, 7.8.15): four bytes, then the number."""
    try:
        data = page.read_bytes()
    except OSError:
        return None
    return data[4:].decode("ascii", "replace").strip("\0 ") or None
