# SPDX-License-Identifier: Apache-2.0
"""The words for a virtual machine are those that the operations know."""

from enum import StrEnum

import pytest

from liveos.cli.boot import ConsoleName
from liveos.cli.install import OverlayKind
from liveos.cli.machine_options import AttachmentName, FirmwareName, memory_mib
from liveos.host.machine.firmware import FirmwareKind
from liveos.host.machine.qemu import Attachment
from liveos.medium.model import PersistenceKind
from liveos.operations.boot import Screen


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        (FirmwareName, FirmwareKind),
        (AttachmentName, Attachment),
        (ConsoleName, Screen),
        (OverlayKind, PersistenceKind),
    ],
)
def test_what_can_be_said_can_be_done(names: type[StrEnum], kinds: type[StrEnum]) -> None:
    """The command line has enums of its own, so that --help imports no operation."""
    assert {str(name) for name in names} - {"auto"} <= {str(kind) for kind in kinds}


@pytest.mark.parametrize(("text", "expected"), [("2G", 2048), ("1536M", 1536), ("5", 1)])
def test_memory_is_handed_on_in_mib(text: str, expected: int) -> None:
    assert memory_mib(text) == expected
