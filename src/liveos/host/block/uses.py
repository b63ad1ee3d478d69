# SPDX-License-Identifier: Apache-2.0
"""What each disk is used by: mounts and swap, followed down to the disks that carry them.

The way down goes through partitions, device-mapper and md (``slaves`` in sysfs), loop devices
(``loop/backing_file``), zram (``backing_dev``) and the devices of a Btrfs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from liveos.host.block.machine import Machine, dev_path, partitions, text, whole
from liveos.host.mounts import Mount, is_below, mount_of

_SYSTEM = frozenset(
    {"/", "/boot", "/boot/efi", "/efi", "/etc", "/home", "/nix", "/opt", "/srv", "/usr", "/var"}
)
_LIVE = "/run/initramfs"  # where dracut mounts the stick of a live system


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a disk, as a sentence; ``is_system`` when the running system stands on it."""

    sentence: str
    is_system: bool = False


@dataclass(frozen=True, slots=True)
class _Top:
    """The upper end of a use: a device, and what is done with it."""

    device: Path
    does: str
    is_system: bool


def uses_of(device: Path, machine: Machine) -> tuple[Use, ...]:
    """What keeps a disk, or one partition, from being overwritten.

    What the running system stands on comes first.
    """
    parts = (device, *(partitions(device) if whole(device) == device else (whole(device),)))
    found = sorted(_uses_from_above(parts, machine), key=lambda use: not use.is_system)
    return tuple(dict.fromkeys((*found, *_holders(parts, machine))))


def _uses_from_above(parts: tuple[Path, ...], machine: Machine) -> Iterator[Use]:
    for top in (*_mounts(machine), *_swaps(machine)):
        way = _way(top.device, parts, machine)
        if way is not None:
            below = f" (through {', '.join(map(dev_path, way[1:]))})" if len(way) > 1 else ""
            yield Use(f"{dev_path(top.device)} {top.does}{below}", top.is_system)


def _mounts(machine: Machine) -> Iterator[_Top]:
    for mount in machine.mounts():
        is_system = mount.point in _SYSTEM or is_below(mount.point, _LIVE)
        for device in devices_of(mount, machine):
            yield _Top(device, f"is mounted on {mount.point}", is_system)


def _swaps(machine: Machine) -> Iterator[_Top]:
    for path in machine.swaps():
        device = machine.named(path)
        if device is not None:
            yield _Top(device, "is swap space in use", is_system=True)
            continue
        for device in _devices_below_file(path, machine):
            yield _Top(device, f"holds the swap file {path}, which is in use", is_system=True)


def devices_of(mount: Mount, machine: Machine) -> tuple[Path, ...]:
    """A filesystem's devices: some have a number of no device, and some have several devices."""
    first, sources = machine.node(mount.device), mount.source.split(":")
    named = map(machine.named, sources) if first is None else (first,)
    found = tuple(filter(None, named))
    for devices in machine.btrfs():
        if set(found) & set(devices):
            return devices
    return found


def _devices_below_file(path: str, machine: Machine) -> tuple[Path, ...]:
    mount = mount_of(path, machine.mounts())
    return () if mount is None else devices_of(mount, machine)


def _way(top: Path, parts: tuple[Path, ...], machine: Machine) -> tuple[Path, ...] | None:
    """The devices from ``top`` down to one of ``parts``; None when it does not lead there.

    Hostile links may make circles: no device is visited twice.
    """
    seen = {top}
    ways: list[tuple[Path, ...]] = [(top,)]
    while ways:
        way = ways.pop()
        if way[-1] in parts:
            return way
        for below in _below(way[-1], machine):
            if below not in seen:
                seen.add(below)
                ways.append((*way, below))
    return None


def _below(device: Path, machine: Machine) -> Iterator[Path]:
    disk = whole(device)
    for slave in sorted((disk / "slaves").glob("*")):
        yield slave.resolve()
    backing = text(disk / "loop/backing_file")
    if backing:
        block = machine.named(backing)
        yield from _devices_below_file(backing, machine) if block is None else (block,)
    swapped = machine.named(text(disk / "backing_dev") or "")
    if swapped is not None:
        yield swapped


def _holders(parts: tuple[Path, ...], machine: Machine) -> Iterator[Use]:
    """What has been built upon them, mounted or not."""
    for part in parts:
        for holder in sorted((part / "holders").glob("*")):
            yield Use(f"{dev_path(part)} is used by {_kind(holder.resolve())}")
    for loop in machine.disks():
        backing = text(loop / "loop/backing_file") or ""
        if machine.named(backing) in parts:
            yield Use(f"{backing} is attached to {dev_path(loop)}")


def _kind(device: Path) -> str:
    """A device with what is known of it: ``/dev/dm-0 (LVM vg-root)``."""
    uuid, name = text(device / "dm/uuid") or "", text(device / "dm/name")
    if name is not None:
        return f"{dev_path(device)} ({' '.join(filter(None, (uuid.partition('-')[0], name)))})"
    level = text(device / "md/level")
    return f"{dev_path(device)} ({level})" if level else dev_path(device)
