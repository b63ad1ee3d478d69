# SPDX-License-Identifier: Apache-2.0
"""``liveos boot``: start a medium in a virtual machine, for a person."""

from enum import StrEnum
from typing import Annotated

import typer

from liveos.cli.machine_options import (
    Attach,
    AttachmentName,
    Cpus,
    Firmware,
    FirmwareName,
    Memory,
    Target,
    memory_mib,
)
from liveos.cli.output import Output


class ConsoleName(StrEnum):
    """Where the machine shows itself; ``auto`` is a window on a desktop, else ``serial``."""

    AUTO = "auto"
    WINDOW = "window"
    VNC = "vnc"
    SERIAL = "serial"


Console = Annotated[ConsoleName, typer.Option("--console", help="Where the machine shows itself.")]
Snapshot = Annotated[
    bool, typer.Option("--snapshot", help="Leave TARGET as it is: forget what the machine writes.")
]


def boot(
    output: Output,
    target: Target,
    *,
    firmware: Firmware = FirmwareName.BIOS,
    attach: Attach = AttachmentName.AUTO,
    console: Console = ConsoleName.AUTO,
    snapshot: Snapshot = False,
    memory: Memory = "2G",
    cpus: Cpus = None,
) -> None:
    """Start a medium in a virtual machine."""
    from liveos.cli.progress import reporter
    from liveos.host.machine.firmware import FirmwareKind
    from liveos.host.machine.qemu import Attachment
    from liveos.medium.stick import parse_image
    from liveos.operations.boot import BootRequest, Screen
    from liveos.operations.boot import boot as start

    path, name = parse_image(target)
    request = BootRequest(
        firmware=FirmwareKind(firmware),
        image=name,
        attachment=None if attach == "auto" else Attachment(attach),
        snapshot=snapshot,
        screen=Screen(console),
        memory_mib=memory_mib(memory),
        cpus=cpus,
    )
    with reporter(output) as chosen:
        start(path, request, chosen)
