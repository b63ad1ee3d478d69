# SPDX-License-Identifier: Apache-2.0
"""Virtual machines as values: a `Machine` says what there is, `qemu_command` how QEMU is told.

Also the throw-away layers over a disk that keep a target untouched while a guest writes to it.
"""

import os
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

from liveos.host import run
from liveos.host.machine.firmware import FlashFile, UefiFirmware
from liveos.host.tools import QEMU, QEMU_IMG, QEMU_IO, Command

_KVM_BLINK = 2.0  # seconds; translation takes 0.3, working KVM less


class Attachment(StrEnum):
    """How the guest sees the medium."""

    CD = "cd"
    USB = "usb"
    DISK = "disk"


class Accelerator(StrEnum):
    """Who executes the guest's instructions: the processor itself, or QEMU's translator."""

    KVM = "kvm"
    TCG = "tcg"


@dataclass(frozen=True, slots=True)
class Drive:
    """The medium in the machine. ``throw_away`` is a layer whose durability nobody needs."""

    path: Path
    attachment: Attachment
    format: str = "raw"
    read_only: bool = False
    throw_away: bool = False


@dataclass(frozen=True, slots=True)
class SerialSocket:
    """A serial port as a Unix socket.

    Its log is kept by whoever reads it: QEMU's own (``logfile=``) has some bytes twice when the
    reader is slow (seen with 7.2).
    """

    socket: Path


@dataclass(frozen=True, slots=True)
class SerialTerminal:
    """A serial port on the terminal that liveos was started from."""


SerialPort = SerialSocket | SerialTerminal


@dataclass(frozen=True, slots=True)
class Machine:
    """A PC. ``variables`` is this machine's own copy of the firmware's variable store."""

    drive: Drive | None
    accelerator: Accelerator = Accelerator.TCG
    firmware: UefiFirmware | None = None
    variables: FlashFile | None = None
    memory_mib: int = 2048
    cpus: int | None = None
    display: str = "none"
    serial_ports: tuple[SerialPort, ...] = ()
    monitor: Path | None = None
    network: bool = False


def qemu_command(machine: Machine, environment: tuple[tuple[str, str], ...] = ()) -> Command:
    """The command that runs a machine until its guest powers off or restarts."""
    arguments = [
        *("-name", "liveos", "-nodefaults", "-no-user-config", "-no-reboot"),
        *_processor(machine),
        *_firmware(machine),
        *_drive(machine.drive),
        *("-vga", "std", "-display", machine.display),
        *("-nic", "user,model=virtio-net-pci" if machine.network else "none"),
        *_serial_ports(machine),
    ]
    if machine.monitor is not None:
        arguments += ["-qmp", f"unix:{_value(machine.monitor)},server=on,wait=off"]
    return Command(QEMU, tuple(arguments), environment=environment)


@cache
def best_accelerator() -> Accelerator:
    """KVM where it really works: there it runs the BIOS in a blink, and needs no leave.

    A device node proves nothing. Inside other virtual machines KVM is found to abort in the first
    moment, or to be many times slower than translation; running firmware that finds nothing to
    start, and so restarts and ends, shows both.
    """
    probe = Machine(drive=None, accelerator=Accelerator.KVM, memory_mib=64)
    command = qemu_command(probe)
    quick = replace(command, arguments=(*command.arguments, "-boot", "reboot-timeout=1"))
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return Accelerator.TCG
    deadline = time.monotonic() + _KVM_BLINK
    with Path(os.devnull).open("r+b") as log, run.background(quick, log=log) as process:
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        return Accelerator.KVM if process.poll() == 0 else Accelerator.TCG


@cache
def displays() -> frozenset[str]:
    """The kinds of windows that this build of QEMU can open."""
    said = run.run(Command(QEMU, ("-display", "help"))).text
    return frozenset(line.strip() for line in said.splitlines()[1:] if line.strip())


def layer_command(backing: Path, layer: Path, size: int) -> Command:
    """Make a layer of ``size`` bytes that takes every write meant for the raw image ``backing``."""
    options = ("-q", "-f", "qcow2", "-b", str(backing.absolute()), "-F", "raw")
    return Command(QEMU_IMG, ("create", *options, str(layer), str(size)))


def patch_command(layer: Path, offset: int, length: int) -> Command:
    """Write ``length`` bytes from standard input at ``offset`` of a layer."""
    write = f"write -q -s /dev/stdin {offset} {length}"
    return Command(QEMU_IO, ("-f", "qcow2", "-c", write, str(layer)))


def _processor(machine: Machine) -> list[str]:
    """Two processors are usual, one where they are translated.

    A kernel patches its own code while other processors run it, and QEMU's translation of the old
    code may outlive the patch: about one boot in thirty ended in ``Oops: int3`` (7.2, two).
    """
    kvm = machine.accelerator is Accelerator.KVM
    smm = machine.firmware is not None and machine.firmware.requires_smm
    return [
        *("-machine", f"q35,smm={'on' if smm else 'off'}"),
        *("-accel", "kvm" if kvm else "tcg,thread=multi"),
        # Translated, ``rep stosb`` is much slower than what kernels do without ERMS.
        *("-cpu", "host" if kvm else "max,-erms"),
        *("-smp", str(machine.cpus or (2 if kvm else 1))),
        *("-m", str(machine.memory_mib)),
        *("-device", "virtio-rng-pci"),
    ]


def _firmware(machine: Machine) -> list[str]:
    """OVMF in flash; what is written by code outside SMM is refused when it asks for SMM."""
    firmware, variables = machine.firmware, machine.variables
    if firmware is None:
        return []
    assert variables is not None, "UEFI needs a variable store of its own"
    arguments = []
    for unit, flash in enumerate((firmware.code, variables)):
        options = f"if=pflash,unit={unit},format={flash.format},file={_value(flash.path)}"
        arguments += ["-drive", options + (",readonly=on" if unit == 0 else "")]
    if firmware.requires_smm:
        arguments += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
        arguments += ["-global", "ICH9-LPC.disable_s3=1"]
    return arguments


def _drive(drive: Drive | None) -> list[str]:
    if drive is None:
        return []
    cd = drive.attachment is Attachment.CD
    options = [
        f"if=none,id=medium,format={drive.format},file={_value(drive.path)}",
        "readonly=on" if drive.read_only or cd else "readonly=off",
        *(["media=cdrom"] if cd else []),
        *(["cache=unsafe"] if drive.throw_away else []),
    ]
    device = {
        Attachment.CD: ["-device", "ide-cd,drive=medium,bootindex=0"],
        Attachment.USB: [
            *("-device", "qemu-xhci"),
            *("-device", "usb-storage,drive=medium,removable=on,bootindex=0"),
        ],
        Attachment.DISK: ["-device", "virtio-blk-pci,drive=medium,bootindex=0"],
    }
    return ["-drive", ",".join(options), *device[drive.attachment]]


def _serial_ports(machine: Machine) -> list[str]:
    arguments = []
    for number, port in enumerate(machine.serial_ports):
        if isinstance(port, SerialTerminal):
            chardev = f"stdio,id=serial{number},mux=on,signal=off"
            arguments += ["-mon", f"chardev=serial{number}"]
        else:
            path = _value(port.socket)
            chardev = f"socket,id=serial{number},path={path},server=on,wait=off"
        arguments += ["-chardev", chardev, "-serial", f"chardev:serial{number}"]
    return arguments


def _value(path: Path) -> str:
    """A path inside an option list, where a comma must be doubled."""
    return str(path).replace(",", ",,")
