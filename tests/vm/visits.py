# SPDX-License-Identifier: Apache-2.0
"""Boots of a stick that leave something behind: its system is talked to, what it wrote stays."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from liveos.host.machine.qemu import Attachment, Drive, Machine, qemu_command
from liveos.host.tools import Command
from liveos.operations.guests import guest as guest_module
from liveos.operations.guests.guest import BootFiles, Guest, Patience, start
from liveos.operations.guests.kernel_words import PROOF_WORDS
from liveos.operations.guests.layer import make_layer
from liveos.operations.guests.menu_edits import edit_menus
from liveos.operations.prove.proving import ProveRequest, machine_for

Talk = Callable[[Guest], None]

KEEP = """
mkdir /var/lib/kept && for i in $(seq 20); do head -c 100000 /dev/urandom > /var/lib/kept/$i; done
sync
"""


def visit(
    stick: Path,
    talk: Talk,
    *,
    pulled: bool = False,
    more: tuple[str, ...] = (),
    patience: Patience | None = None,
) -> None:
    """Boot a stick, talk to its system, and shut it down, or pull the stick out as it runs.

    ``more`` are words for QEMU, such as further disks.
    """
    workspace = stick.parent
    layer = workspace / "layer.qcow2"
    make_layer(stick, layer, edit_menus(stick, workspace, PROOF_WORDS).patches)
    drive = Drive(layer, Attachment.USB, "qcow2", throw_away=True)
    machine = machine_for(workspace, drive, ProveRequest())
    number = len(list(workspace.glob("boot-*-serial.log"))) + 1
    files = BootFiles(workspace, workspace, number)

    def command_with_more(machine: Machine) -> Command:
        command = qemu_command(machine)
        return replace(command, arguments=(*command.arguments, *more))

    with (
        patch.object(guest_module, "qemu_command", command_with_more),
        start(machine, files, patience or Patience()) as guest,
    ):
        guest.wait_for_shell()
        guest.wait_for_boot()
        talk(guest)
        if not pulled:
            guest.power_off()
    written = stick.with_suffix(".written")
    subprocess.run(["qemu-img", "convert", "-O", "raw", layer, written], check=True)
    written.replace(stick)
    layer.unlink()


def tell(guest: Guest, commands: str) -> str:
    """What commands print, one to a line; each of them must succeed."""
    said = ""
    for line in commands.strip().splitlines():
        answer = guest.ask(line)
        assert answer.status == 0, (line, answer.text)
        said += answer.text
    return said


def kept(guest: Guest) -> list[str]:
    """The sums of what `KEEP` has made."""
    return sorted(tell(guest, "cd /var/lib/kept && sha256sum *").splitlines())
