# SPDX-License-Identifier: Apache-2.0
"""The virtual machine that ``boot`` and ``prove`` ask for, in the same words."""

from enum import StrEnum
from typing import Annotated

import typer

_MIB = 1024 * 1024


class FirmwareName(StrEnum):
    """What starts the machine: ``FirmwareKind`` of the host, which is not imported this early."""

    BIOS = "bios"
    UEFI = "uefi"
    UEFI_SECURE = "uefi-secure"


class AttachmentName(StrEnum):
    """How the machine sees the medium; ``auto`` is a CD for an ISO, else a USB stick."""

    AUTO = "auto"
    CD = "cd"
    USB = "usb"
    DISK = "disk"


Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET", help="A stick, one of its images as STICK:NAME, an image file or an ISO."
    ),
]
Firmware = Annotated[FirmwareName, typer.Option("--firmware", help="What starts the machine.")]
Attach = Annotated[AttachmentName, typer.Option("--attach", help="How the machine sees TARGET.")]
Memory = Annotated[str, typer.Option("--memory", metavar="SIZE", help="Memory of the machine.")]
Cpus = Annotated[
    int | None,
    typer.Option("--cpus", metavar="N", min=1, help="Processors; else 2, or 1 without KVM."),
]


def memory_mib(text: str) -> int:
    """The value of ``--memory`` in MiB, which is what QEMU takes."""
    from liveos.sizes import parse_bytes

    return max(1, parse_bytes(text) // _MIB)
