# SPDX-License-Identifier: Apache-2.0
"""Disks that udisks2 opens for an ordinary user, after polkit has asked (its D-Bus reference).

A descriptor is all that one gets: opening it again under /proc/self/fd asks for the rights of the
device, so programs that want a path cannot be used on it. jeepney is an optional dependency.
"""

import errno
import importlib.util
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liveos.errors import LiveosError, NotPermittedError, RefusedError

if TYPE_CHECKING:
    from jeepney import DBusAddress
    from jeepney.io.blocking import DBusConnection

HOW_TO = "run this as root; or install udisks2 and the Python package jeepney (liveos[udisks])"

_NAME = "org.freedesktop.UDisks2"
_MANAGER = "/org/freedesktop/UDisks2/Manager"
_NO_DRIVE = "/"
_UNASKED = {"auth.no_user_interaction": ("b", True)}
_REFUSALS = {
    "NotAuthorized": "a rule of polkit's forbids it to you: run this as root",
    "NotAuthorizedCanObtain": "polkit wants a password, and this session has no agent that asks "
    "for it: run this as root, or in a terminal of a desktop",
    "NotAuthorizedDismissed": "allow it when you are asked, or run this as root",
    "AccessDenied": "run this as root",
}
"""By the names of errors, without what is before the last dot."""
_PATIENCE = 5.0
_BUS_SECONDS = 5.0
_ANSWER_SECONDS = 300.0
"""A person may have to look for the password."""


def is_available() -> bool:
    """Whether udisks2 runs, or would be started, on the system's bus."""
    if importlib.util.find_spec("jeepney") is None:
        return False
    try:
        with _connected() as bus:
            names = _bus_names(bus, "ListNames") + _bus_names(bus, "ListActivatableNames")
            return _NAME in names
    except (OSError, LiveosError):
        return False


def open_device(path: Path, flags: int) -> int:
    """A descriptor for reading and writing; ``flags`` are more of open(2), such as O_EXCL.

    :raises NotPermittedError: polkit, or the person that it asked, said no.
    :raises RefusedError: udisks2 says that the device is in use.
    """
    with _connected() as bus:
        device = _resolve(bus, path)
        words = ("rw", {"flags": ("i", flags)})
        (descriptor,) = _call(bus, _block(device), "OpenDevice", "sa{sv}", words)
        return int(descriptor.to_raw_fd())


def power_off(path: Path) -> bool:
    """Flush the drive and switch it off, so that it can be pulled out; False if it cannot be.

    Who sits at the machine may do that; nobody is asked for a password only to have it done.
    """
    with suppress(OSError, LiveosError), _connected() as bus:
        drive = _drive(bus, _resolve(bus, path))
        if drive != _NO_DRIVE:
            _switch_off(bus, _address(drive, f"{_NAME}.Drive"))
            return True
    return False


def _switch_off(bus: "DBusConnection", drive: "DBusAddress") -> None:
    """udisks2 wants the disk for itself, and udev looks at it for a moment once it is closed."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            _call(bus, drive, "PowerOff", "a{sv}", (_UNASKED,))
        except RefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return


def _connected() -> "DBusConnection":
    from jeepney.io.blocking import open_dbus_connection  # noqa: PLC0415 - an optional dependency

    return open_dbus_connection(bus="SYSTEM", enable_fds=True)


def _bus_names(bus: "DBusConnection", method: str) -> list[str]:
    from jeepney import DBusAddress  # noqa: PLC0415 - an optional dependency

    address = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
    (names,) = _call(bus, address, method, None, ())
    return list(names)


def _resolve(bus: "DBusConnection", path: Path) -> str:
    """The object that stands for a device."""
    address = _address(_MANAGER, f"{_NAME}.Manager")
    what, options = {"path": ("s", str(path))}, dict[str, object]()
    (found,) = _call(bus, address, "ResolveDevice", "a{sv}a{sv}", (what, options))
    if not found:
        raise LiveosError(f"udisks2 does not know {path}", hint=HOW_TO)
    return str(found[0])


def _drive(bus: "DBusConnection", device: str) -> str:
    address = _address(device, "org.freedesktop.DBus.Properties")
    ((_, drive),) = _call(bus, address, "Get", "ss", (f"{_NAME}.Block", "Drive"))
    return str(drive)


def _block(device: str) -> "DBusAddress":
    return _address(device, f"{_NAME}.Block")


def _address(path: str, interface: str) -> "DBusAddress":
    from jeepney import DBusAddress  # noqa: PLC0415 - an optional dependency

    return DBusAddress(path, bus_name=_NAME, interface=interface)


def _call(
    bus: "DBusConnection",
    address: "DBusAddress",
    method: str,
    signature: str | None,
    words: tuple[object, ...],
) -> tuple[Any, ...]:
    """What a method answers."""
    from jeepney import MessageFlag, MessageType, new_method_call  # noqa: PLC0415 - optional
    from jeepney.low_level import HeaderFields  # noqa: PLC0415 - an optional dependency

    message = new_method_call(address, method, signature, words)
    message.header.flags |= MessageFlag.allow_interactive_authorization
    seconds = _ANSWER_SECONDS if address.bus_name == _NAME else _BUS_SECONDS
    try:
        reply = bus.send_and_get_reply(message, timeout=seconds)
    except TimeoutError as error:
        raise NotPermittedError(f"udisks2 has not answered to {method}", hint=HOW_TO) from error
    if reply.header.message_type is MessageType.error:
        raise _failure(str(reply.header.fields.get(HeaderFields.error_name)), reply.body)
    return tuple(reply.body)


def _failure(name: str, body: tuple[object, ...]) -> LiveosError:
    """An error of udisks2 by its name, which tells more than its sentence does.

    What polkit refuses has three names and one sentence (udisksdaemonutil.c); open(2) of a device
    in use is a failure as any other, with the words of strerror(3).
    """
    said = f"udisks2: {body[0] if body else name}"
    kind = name.rpartition(".")[2]
    if kind in _REFUSALS:
        return NotPermittedError(said, hint=_REFUSALS[kind])
    if kind == "DeviceBusy" or os.strerror(errno.EBUSY) in said:
        return RefusedError(said, hint="unmount the device, then try again")
    return LiveosError(said, hint=HOW_TO)
