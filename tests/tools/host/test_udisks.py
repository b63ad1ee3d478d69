# SPDX-License-Identifier: Apache-2.0
"""udisks2 as an ordinary user meets it: a bus of its own, with a made-up service on it.

What the service is asked is as udisks2's D-Bus reference has it; how it answers is what udisks2
2.9.4 was heard to say. With polkit and the real one: tests/vm/test_udisks.py.
"""

import os
from pathlib import Path

import pytest

from liveos.errors import LiveosError, NotPermittedError, RefusedError
from liveos.host import udisks
from tests.tools.host.made_up_udisks import MadeUpUdisks, private_bus

pytestmark = pytest.mark.tools


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(bytes(4096))
    return path


def test_without_a_bus_it_is_not_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nothing")
    assert not udisks.is_available()


def test_on_a_bus_without_it_it_is_not_available(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with private_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        assert not udisks.is_available()


def test_it_opens_a_device(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with private_bus(tmp_path) as address, MadeUpUdisks(address, disk) as service:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        assert udisks.is_available()
        descriptor = udisks.open_device(disk, os.O_EXCL)
    os.pwrite(descriptor, b"written through a descriptor", 512)
    os.close(descriptor)
    assert disk.read_bytes()[512:].startswith(b"written through a descriptor")
    method, (mode, options) = service.asked[-1]
    assert method == "OpenDevice"
    assert (mode, options["flags"]) == ("rw", ("i", os.O_EXCL))
    assert service.interactive  # polkit may ask


NOT_AUTHORIZED = "Not authorized to perform operation"
"""For whatever reason: only the error's name tells them apart."""

OPEN_AND_BUSY = "Error opening device /dev/sdb: Device or resource busy"


@pytest.mark.parametrize(
    ("fails", "kind", "hint"),
    [
        (("NotAuthorizedCanObtain", NOT_AUTHORIZED), NotPermittedError, "no agent"),
        (("NotAuthorizedDismissed", NOT_AUTHORIZED), NotPermittedError, "when you are asked"),
        (("NotAuthorized", NOT_AUTHORIZED), NotPermittedError, "forbids it"),
        (("Failed", OPEN_AND_BUSY), RefusedError, "unmount"),
        (("DeviceBusy", "made up"), RefusedError, "unmount"),
        (("Failed", "made up"), LiveosError, "root"),
    ],
)
def test_its_errors(
    fails: tuple[str, str],
    kind: type[LiveosError],
    hint: str,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, words = fails
    error = (f"org.freedesktop.UDisks2.Error.{name}", words)
    with private_bus(tmp_path) as address, MadeUpUdisks(address, disk, error) as service:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        with pytest.raises(kind, match=words) as caught:
            udisks.open_device(disk, 0)
        assert type(caught.value) is kind
        assert hint in str(caught.value.hint)
    assert service.interactive


def test_a_device_that_it_does_not_know(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with private_bus(tmp_path) as address, MadeUpUdisks(address, disk):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        with pytest.raises(LiveosError, match="does not know"):
            udisks.open_device(tmp_path / "other", 0)


def test_it_powers_a_drive_off(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with private_bus(tmp_path) as address, MadeUpUdisks(address, disk) as service:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        assert udisks.power_off(disk)
        # Without a password: who may not do it unasked pulls the stick out as it is.
        assert service.asked[-1] == ("PowerOff", ({"auth.no_user_interaction": ("b", True)},))
        assert not udisks.power_off(tmp_path / "other")


def test_it_powers_a_drive_off_when_udev_has_looked_at_it(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with private_bus(tmp_path) as address, MadeUpUdisks(address, disk, looks=2) as service:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        assert udisks.power_off(disk)
        assert [method for method, _ in service.asked].count("PowerOff") == 3
        monkeypatch.setattr(udisks, "_PATIENCE", 0.0)
    with private_bus(tmp_path) as address, MadeUpUdisks(address, disk, looks=9):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        assert not udisks.power_off(disk)
