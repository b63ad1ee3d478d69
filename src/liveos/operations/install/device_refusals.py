# SPDX-License-Identifier: Apache-2.0
"""Which block devices liveos does not write to, and why: ``devices`` shows what ``install`` does.

The order is that of weight: what the running system stands on is said before anything else.
"""

from liveos.errors import LiveosError, RefusedError, UnsupportedError
from liveos.host.block.device import BlockDevice
from liveos.host.target import Target

_SECTOR = 512


def check_device(target: Target, serials: tuple[str, ...], *, allow_fixed: bool) -> None:
    """:raises LiveosError: the target is a device, and not one to write to."""
    if target.device is None or target.is_source:
        return
    refusal = device_refusal(target.device, allow_fixed=allow_fixed)
    if refusal is None:
        refusal = wrong_serial(target.device, serials)
    if refusal is not None:
        raise refusal


def device_refusal(device: BlockDevice, *, allow_fixed: bool) -> LiveosError | None:
    """Why nothing is written to a device; None when it may be overwritten."""
    found = (
        _use(device),
        _nature(device),
        _medium(device),
        None if allow_fixed else _fixed(device),
    )
    return next(filter(None, found), None)


def wrong_serial(device: BlockDevice, serials: tuple[str, ...]) -> RefusedError | None:
    """A device that somebody has named by its serial number must be that one."""
    if not serials or device.serial is None or device.serial in serials:
        return None
    return RefusedError(
        f"{device.path} is not the device that --serial names: it is {device.made_by}",
        hint="liveos devices shows which is which",
    )


def _use(device: BlockDevice) -> LiveosError | None:
    if not device.uses:
        return None
    use = device.uses[0]
    if use.is_system:
        return RefusedError(
            f"{device.path} carries the running system: {use.sentence}",
            hint="name another device: liveos devices lists those that can be written to",
        )
    return RefusedError(
        f"{device.path} is in use: {use.sentence}",
        hint="unmount or detach it, then try again",
    )


def _nature(device: BlockDevice) -> LiveosError | None:
    if device.disk is not None:
        return RefusedError(
            f"{device.path} is a partition; a stick is made of a whole device",
            hint=f"name {device.disk} if everything on it may be lost",
        )
    if device.is_optical:
        return UnsupportedError(
            f"{device.path} is an optical drive", hint="burn the ISO with another program"
        )
    return None


def _medium(device: BlockDevice) -> LiveosError | None:
    if not device.size:
        return RefusedError(f"{device.path} has no medium in it", hint="put the card or disk in")
    if device.is_read_only:
        return RefusedError(
            f"{device.path} is read-only",
            hint="some sticks and cards have a switch for that; blockdev --setrw may help",
        )
    if device.sector_size != _SECTOR:
        return UnsupportedError(
            f"{device.path} has sectors of {device.sector_size} bytes; only 512 are supported",
            hint="name another device",
        )
    return None


def _fixed(device: BlockDevice) -> LiveosError | None:
    if device.is_removable:
        return None
    return RefusedError(
        f"{device.path} cannot be pulled out: it is a built-in or virtual disk",
        hint="--allow-fixed allows to write to disks that cannot be pulled out",
    )
