# SPDX-License-Identifier: Apache-2.0
"""``liveos boot``: the words make the request; the machine itself is tried in tests/vm."""

from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.host.machine.firmware import FirmwareKind
from liveos.host.machine.qemu import Attachment
from liveos.operations import boot as operation
from liveos.operations.boot import BootRequest, Screen
from liveos.report import Reporter


def test_the_words_make_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Path, BootRequest]] = []

    def boot(target: Path, request: BootRequest, _reporter: Reporter) -> None:
        asked.append((target, request))

    monkeypatch.setattr(operation, "boot", boot)
    assert main(["boot", "s.img"]) == ExitStatus.DONE
    line = "boot a.iso --firmware uefi --attach cd --console serial --snapshot --memory 1536M"
    assert main([*line.split(), "--cpus", "1"]) == ExitStatus.DONE
    assert asked == [
        (Path("s.img"), BootRequest()),
        (
            Path("a.iso"),
            BootRequest(
                firmware=FirmwareKind.UEFI,
                attachment=Attachment.CD,
                snapshot=True,
                screen=Screen.SERIAL,
                memory_mib=1536,
                cpus=1,
            ),
        ),
    ]
