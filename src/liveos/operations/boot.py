# SPDX-License-Identifier: Apache-2.0
"""Start a medium in QEMU for a person, in a window or on a serial console."""

import os
import socket
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from liveos.errors import UsageError
from liveos.host.machine.firmware import FirmwareKind, find_uefi
from liveos.host.machine.qemu import (
    Accelerator,
    Attachment,
    Drive,
    Machine,
    SerialTerminal,
    best_accelerator,
    displays,
    qemu_command,
)
from liveos.host.run import interact
from liveos.medium.inspect import inspect
from liveos.operations.guests.choices import choices, shown_entries
from liveos.operations.guests.kernel_words import CONSOLE_WORDS
from liveos.operations.guests.layer import make_layer
from liveos.operations.guests.machine import (
    choose_attachment,
    open_target,
    own_variables,
    workspace,
)
from liveos.operations.guests.menu_edits import edit_menus, is_iso
from liveos.report import Finding, NullReporter, Reporter, Severity

# What a window needs to know of the desktop that it opens on.
_DESKTOP = (
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
)
_FIRST_VNC_PORT = 5900


class Screen(StrEnum):
    """Where the guest shows itself."""

    AUTO = "auto"
    WINDOW = "window"
    VNC = "vnc"
    SERIAL = "serial"


@dataclass(frozen=True, slots=True)
class BootRequest:
    """How to boot.

    ``snapshot`` sends every write to a layer that is thrown away afterwards; only then can the
    serial console be asked for in the boot menu, which is a write, too. ``screen`` AUTO is a
    window where there is a desktop, and the serial console elsewhere. ``image`` names one of
    several; as the menu must be changed to start it, this too goes with ``snapshot`` only.
    """

    firmware: FirmwareKind = FirmwareKind.BIOS
    image: str | None = None
    attachment: Attachment | None = None
    snapshot: bool = False
    screen: Screen = Screen.AUTO
    memory_mib: int = 2048
    cpus: int | None = None
    accelerator: Accelerator | None = None


def boot(target: Path, request: BootRequest, reporter: Reporter | None = None) -> None:
    """Run a medium until the guest powers off or restarts, or its window is closed.

    :raises LiveosError: it cannot be tried, or QEMU failed.
    """
    reporter = reporter or NullReporter()
    target = target.absolute()
    with open_target(target) as source:
        from_iso = is_iso(source)
    if request.image is not None and not request.snapshot:
        raise UsageError(
            f"which image starts is told the menu of {target}, and that would be changed",
            hint="choose it in the menu that the machine shows, or add --snapshot",
        )
    screen = _choose_screen(request.screen)
    attachment = choose_attachment(request.attachment, from_iso=from_iso)
    with workspace() as directory:
        drive = Drive(target, attachment, read_only=from_iso)
        if request.snapshot:
            drive = _layer(target, attachment, directory, screen, _entry(target, request))
        elif not from_iso and not os.access(target, os.W_OK):
            raise UsageError(f"{target} is read-only for this user", hint="try it with --snapshot")
        machine = _machine(directory, drive, request, _display(screen, reporter))
        interact(qemu_command(machine, environment=_desktop()))


def _entry(target: Path, request: BootRequest) -> int | None:
    """Which entry of the menu starts the image that is named."""
    if request.image is None:
        return None
    shown = shown_entries(target, request.firmware)
    return choices(inspect(target), shown, request.firmware, request.image)[0].position


def _layer(
    target: Path, attachment: Attachment, directory: Path, screen: Screen, entry: int | None
) -> Drive:
    layer = directory / "layer.qcow2"
    words = CONSOLE_WORDS if screen is Screen.SERIAL else ()
    patches = (
        edit_menus(target, directory, words, entry).patches if words or entry is not None else ()
    )
    make_layer(target, layer, patches)
    return Drive(layer, attachment, "qcow2", throw_away=True)


def _machine(directory: Path, drive: Drive, request: BootRequest, display: str) -> Machine:
    firmware = find_uefi(request.firmware)
    return Machine(
        drive=drive,
        accelerator=request.accelerator or best_accelerator(),
        firmware=firmware,
        variables=own_variables(firmware, directory),
        memory_mib=request.memory_mib,
        cpus=request.cpus,
        display=display,
        serial_ports=(SerialTerminal(),) if display == "none" else (),
        network=True,
    )


def _choose_screen(wanted: Screen) -> Screen:
    if wanted is not Screen.AUTO:
        return wanted
    return Screen.WINDOW if _window() else Screen.SERIAL


def _window() -> str | None:
    """The kind of window that can be opened here; None without a desktop or QEMU's part for it."""
    if not any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        return None
    return next((kind for kind in ("gtk", "sdl") if kind in displays()), None)


def _display(screen: Screen, reporter: Reporter) -> str:
    """QEMU's word for a screen; where people must connect to it themselves, they are told."""
    if screen is Screen.SERIAL:
        return "none"
    window = _window() if screen is Screen.WINDOW else None
    if window is not None:
        return window
    number = _free_vnc_display()
    where = f"127.0.0.1:{_FIRST_VNC_PORT + number}"
    reporter.finding(Finding("vnc", Severity.INFO, f"the screen is at {where}, for a VNC viewer"))
    return f"vnc=127.0.0.1:{number}"


def _free_vnc_display() -> int:
    for number in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", _FIRST_VNC_PORT + number)) != 0:
                return number
    raise UsageError("no free VNC display", hint="use --console serial")


def _desktop() -> tuple[tuple[str, str], ...]:
    return tuple((name, os.environ[name]) for name in _DESKTOP if name in os.environ)
