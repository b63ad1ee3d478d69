# SPDX-License-Identifier: Apache-2.0
"""``liveos prove`` around a proof that is made up: words, document and status."""

import json
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.host.machine.firmware import FirmwareKind
from liveos.host.machine.qemu import Attachment
from liveos.medium.model import PersistenceKind
from liveos.operations.prove import proving as operation
from liveos.operations.prove.home import Home
from liveos.operations.prove.judgement import Memory
from liveos.operations.prove.proof import BootReport, Proof, Showing
from liveos.operations.prove.proving import ProveRequest
from liveos.report import Reporter

BOOT = BootReport(
    seconds=41.4,
    kernel="6.1.0-50-amd64",
    root="/dev/mapper/live-rw",
    overlay=Memory(
        PersistenceKind.SNAPSHOT, "/LiveOS/overlay", persistent=True, status_line="8/9 1"
    ),
    home=Home("ext4", "/dev/mapper/h", "/run/live/LiveOS/home.img", encrypted=True),
    swap=("/run/live/LiveOS/swap.img",),
    serial_log=Path("/tmp/proof/boot-1.log"),
    screenshot=Path("/tmp/proof/boot-1.png"),
)
PROVED = Proof(Path("/srv/s.img"), FirmwareKind.UEFI, Showing.REMEMBERS, (BOOT, BOOT), True, (), ())
FORGOT = Proof(
    Path("/srv/s.img"),
    FirmwareKind.BIOS,
    Showing.REMEMBERS,
    (BootReport(overlay=Memory(None, None, persistent=False)),),
    None,
    ("boot 1: its changes go to memory",),
    ("whether it has a second face",),
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ProveRequest]:
    """The requests that reach the operation; targets named ``good`` are proved."""
    requests: list[ProveRequest] = []

    def prove(target: Path, request: ProveRequest, _reporter: Reporter) -> Proof:
        requests.append(request)
        return PROVED if target.name == "good" else FORGOT

    monkeypatch.setattr(operation, "prove", prove)
    return requests


def test_what_was_proved(asked: list[ProveRequest], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "good"]) == ExitStatus.DONE
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert (
        lines[1]
        == "1 41 6.1.0-50-amd64 /dev/mapper/live-rw snapshot (8/9 1) home.img, encrypted swap.img"
    )
    assert "boot 2 screenshot: /tmp/proof/boot-1.png" in lines
    assert lines[-1] == "PROVED: /srv/s.img boots and remembers (uefi)."


def test_what_was_not(asked: list[ProveRequest], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "bad"]) == ExitStatus.PROBLEMS_FOUND
    lines = capsys.readouterr().out.splitlines()
    assert "memory, lost at power-off" in lines[1]
    assert lines[-3:] == [
        "not shown: whether it has a second face",
        "problem: boot 1: its changes go to memory",
        "NOT PROVED: /srv/s.img (bios)",
    ]


def test_the_document(asked: list[ProveRequest], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "bad", "--json"]) == ExitStatus.PROBLEMS_FOUND
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "liveos/prove/1"
    assert document["proved"] is False


def test_the_document_follows_a_home_to_its_file(
    asked: list[ProveRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["prove", "good", "--json"])
    boot, _ = json.loads(capsys.readouterr().out)["boots"]
    assert boot["home"] == {
        "filesystem": "ext4",
        "source": "/dev/mapper/h",
        "store": "/run/live/LiveOS/home.img",
        "encrypted": True,
    }
    assert boot["swap"] == ["/run/live/LiveOS/swap.img"]


def test_a_key_file_is_for_the_console(asked: list[ProveRequest], tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"correct horse")
    main(["prove", "good", "--key-file", str(file)])
    (request,) = asked
    assert str(request.key) == f"the key file {file}"
    assert main(["prove", "good", "--key-file", str(tmp_path / "none")]) == ExitStatus.USAGE
    assert len(asked) == 1


def test_the_words_make_the_request(asked: list[ProveRequest], tmp_path: Path) -> None:
    main(["prove", "good"])
    line = "prove good --firmware uefi-secure --attach disk --memory 3G --cpus 4 --show no-trace"
    main([*line.split(), "-o", str(tmp_path)])
    default, other = asked
    assert default == ProveRequest()
    assert other == ProveRequest(
        firmware=FirmwareKind.UEFI_SECURE,
        attachment=Attachment.DISK,
        showing=Showing.NO_TRACE,
        memory_mib=3072,
        cpus=4,
        output=tmp_path,
    )
