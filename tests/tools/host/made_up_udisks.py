# SPDX-License-Identifier: Apache-2.0
"""A bus of one's own (dbus-daemon) and a service on it that answers like udisks2."""

import errno
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from jeepney import HeaderFields, Message, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection

_NAME = "org.freedesktop.UDisks2"
_BLOCK = "/org/freedesktop/UDisks2/block_devices/disk"
_DRIVE = "/org/freedesktop/UDisks2/drives/disk"
_STOP = "Stop"  # a method of the tests' own

_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@contextmanager
def private_bus(directory: Path) -> Iterator[str]:
    """The address of a bus that nobody else is on."""
    program = shutil.which("dbus-daemon")
    if program is None:
        pytest.skip("dbus-daemon is not installed")
    configuration = directory / "bus.conf"
    configuration.write_text(_CONFIGURATION.format(socket=directory / "bus"))
    command = [program, "--nofork", "--print-address", f"--config-file={configuration}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        try:
            assert daemon.stdout is not None
            yield daemon.stdout.readline().strip()
        finally:
            daemon.terminate()


class MadeUpUdisks:
    """Knows one disk, which is a file.

    ``fails`` is the error that it answers OpenDevice with, by name and in words. udev looks at the
    disk when somebody wants it switched off, ``looks`` times.
    """

    def __init__(
        self, address: str, disk: Path, fails: tuple[str, str] | None = None, looks: int = 0
    ) -> None:
        self._address = address
        self._disk = disk
        self._fails = fails
        self._looks = looks
        self.asked: list[tuple[str, tuple[Any, ...]]] = []
        self.interactive = False

    def __enter__(self) -> Self:
        self._bus = open_dbus_connection(self._address, enable_fds=True)
        self._bus.send_and_get_reply(message_bus.RequestName(_NAME), timeout=10)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        from jeepney import DBusAddress, new_method_call  # noqa: PLC0415 - only for the end

        with open_dbus_connection(self._address) as bus:
            bus.send(new_method_call(DBusAddress("/", _NAME, _NAME), _STOP))
            self._thread.join(10)
        self._bus.close()

    def _serve(self) -> None:
        while True:
            message = self._bus.receive()
            if message.header.message_type is not MessageType.method_call:
                continue
            method = message.header.fields[HeaderFields.member]
            if method == _STOP:
                return
            self.asked.append((method, message.body))
            self.interactive |= bool(message.header.flags & 4)  # ALLOW_INTERACTIVE_AUTHORIZATION
            self._answer(self._bus, method, message)

    def _answer(self, bus: DBusConnection, method: str, message: Message) -> None:
        if method == "OpenDevice" and self._fails:
            name, words = self._fails
            bus.send(new_error(message, name, "s", (words,)))
        elif method == "OpenDevice":
            descriptor = os.open(self._disk, os.O_RDWR)
            bus.send(new_method_return(message, "h", (descriptor,)))
            os.close(descriptor)
        elif method == "PowerOff" and self._looks:
            self._looks -= 1
            words = f"Error opening {self._disk}: {os.strerror(errno.EBUSY)}"
            bus.send(new_error(message, f"{_NAME}.Error.Failed", "s", (words,)))
        elif method == "ResolveDevice":
            is_known = message.body[0]["path"] == ("s", str(self._disk))
            bus.send(new_method_return(message, "ao", ([_BLOCK] if is_known else [],)))
        elif method == "Get":
            bus.send(new_method_return(message, "v", (("o", _DRIVE),)))
        else:
            bus.send(new_method_return(message))
