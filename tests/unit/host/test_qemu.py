# SPDX-License-Identifier: Apache-2.0
"""Machines as QEMU command lines."""

from dataclasses import replace
from pathlib import Path

import pytest

from liveos.host.machine.firmware import FlashFile, UefiFirmware
from liveos.host.machine.qemu import (
    Accelerator,
    Attachment,
    Drive,
    Machine,
    SerialSocket,
    SerialTerminal,
    layer_command,
    patch_command,
    qemu_command,
)

MACHINE = Machine(Drive(Path("/x/stick.img"), Attachment.USB))
SECURE = UefiFirmware(
    FlashFile(Path("/fw/code")),
    FlashFile(Path("/fw/vars")),
    secure_boot=True,
    enrolled_keys=True,
    requires_smm=True,
)


def line(machine: Machine) -> str:
    return str(qemu_command(machine))


@pytest.mark.parametrize(
    ("attachment", "device"),
    [
        (Attachment.USB, "-device usb-storage,drive=medium,removable=on,bootindex=0"),
        (Attachment.CD, "-device ide-cd,drive=medium,bootindex=0"),
        (Attachment.DISK, "-device virtio-blk-pci,drive=medium,bootindex=0"),
    ],
)
def test_the_medium_is_what_the_machine_starts_from(attachment: Attachment, device: str) -> None:
    assert device in line(Machine(Drive(Path("/x"), attachment)))


def test_a_stick_is_writable_and_a_cd_is_not() -> None:
    assert "file=/x/stick.img,readonly=off" in line(MACHINE)
    assert "readonly=on,media=cdrom" in line(Machine(Drive(Path("/x"), Attachment.CD)))


def test_only_a_layer_that_is_thrown_away_may_skip_the_disk() -> None:
    assert "cache=" not in line(MACHINE)
    layer = Drive(Path("/l"), Attachment.USB, "qcow2", throw_away=True)
    assert "format=qcow2,file=/l,readonly=off,cache=unsafe" in line(Machine(layer))


def test_a_comma_in_a_name_starts_no_option() -> None:
    assert "file=/a,,b.img,readonly=off" in line(Machine(Drive(Path("/a,b.img"), Attachment.USB)))


@pytest.mark.parametrize(
    ("accelerator", "words"),
    [
        (Accelerator.TCG, "-accel tcg,thread=multi -cpu max,-erms -smp 1"),
        (Accelerator.KVM, "-accel kvm -cpu host -smp 2"),
    ],
)
def test_the_processor_fits_the_accelerator(accelerator: Accelerator, words: str) -> None:
    assert words in line(replace(MACHINE, accelerator=accelerator))


def test_as_many_processors_as_asked_for() -> None:
    assert "-smp 4" in line(replace(MACHINE, cpus=4))


def test_a_bios_machine_has_no_flash() -> None:
    assert "pflash" not in line(MACHINE)
    assert "q35,smm=off" in line(MACHINE)


def test_secure_boot_is_enforced_by_smm() -> None:
    machine = replace(MACHINE, firmware=SECURE, variables=FlashFile(Path("/own/vars"), "qcow2"))
    said = line(machine)
    assert "q35,smm=on" in said
    assert "if=pflash,unit=0,format=raw,file=/fw/code,readonly=on" in said
    assert "if=pflash,unit=1,format=qcow2,file=/own/vars" in said
    assert "/fw/vars" not in said
    assert "driver=cfi.pflash01,property=secure,value=on" in said


def test_plain_uefi_has_no_smm() -> None:
    plain = replace(SECURE, requires_smm=False, secure_boot=False)
    machine = replace(MACHINE, firmware=plain, variables=FlashFile(Path("/own/vars")))
    assert "q35,smm=off" in line(machine)
    assert "property=secure" not in line(machine)


def test_serial_ports_come_in_order() -> None:
    ports = tuple(SerialSocket(Path(f"/s{n}")) for n in range(2))
    arguments = qemu_command(replace(MACHINE, serial_ports=ports)).arguments
    serials = [arguments[i + 1] for i, word in enumerate(arguments) if word == "-serial"]
    assert serials == ["chardev:serial0", "chardev:serial1"]
    assert "socket,id=serial1,path=/s1,server=on,wait=off" in arguments


def test_on_a_terminal_an_interrupt_goes_to_the_guest() -> None:
    said = line(replace(MACHINE, serial_ports=(SerialTerminal(),)))
    assert "stdio,id=serial0,mux=on,signal=off" in said


def test_a_machine_has_no_network_unless_it_is_asked_for() -> None:
    assert "-nic none" in line(MACHINE)
    assert "-nic user" in line(replace(MACHINE, network=True))


def test_a_layer_names_its_raw_base_and_its_size() -> None:
    command = layer_command(Path("/x/stick.img"), Path("/t/layer"), 4096)
    assert str(command) == "qemu-img create -q -f qcow2 -b /x/stick.img -F raw /t/layer 4096"


def test_a_patch_comes_from_standard_input() -> None:
    command = patch_command(Path("/t/layer"), 512, 16)
    assert command.arguments == (
        *("-f", "qcow2", "-c", "write -q -s /dev/stdin 512 16", "/t/layer"),
    )
