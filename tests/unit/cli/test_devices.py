# SPDX-License-Identifier: Apache-2.0
"""``liveos devices`` on a made-up machine."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from liveos.cli import devices_view
from liveos.cli.main import main
from liveos.cli.output import Output
from liveos.host.block import machine
from liveos.medium.devices import FoundImage, images_on
from liveos.operations.install.candidates import Candidate
from tests.unit.host.block.machines import ATA, USB, Forge
from tests.unit.operations.test_device_refusals import STICK


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forge:
    """A hard disk with the system on it, a stick, and an empty card reader."""
    made = Forge(tmp_path / "machine")
    disk = made.disk("sda", ATA, model="ST1000", serial="Z9")
    made.mount_device("/", made.part(disk, 1))
    stick = made.disk("sdzz", USB, vendor="SanDisk", model="Ul\x1btra")
    made.udev(stick, ID_SERIAL_SHORT="4C53", ID_PART_TABLE_TYPE="gpt")
    made.udev(made.part(stick, 1, gib=2), ID_FS_TYPE="vfat", ID_FS_LABEL="MINE")
    made.disk("sdc", USB.replace("host6", "host7"), gib=0)
    monkeypatch.setattr(machine, "Machine", lambda: made.machine)
    return made


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["devices", *words]) == 0
    return capsys.readouterr().out


def test_only_what_can_be_written_to_is_shown(
    forge: Forge, capsys: pytest.CaptureFixture[str]
) -> None:
    head, stick = shown(capsys).splitlines()
    assert head.split() == ["device", "size", "bus", "model", "serial", "contents"]
    assert stick.split("  ")[0] == "/dev/sdzz"
    for word in ("8 GiB", "usb", "SanDisk", "4C53", '2 GiB vfat "MINE"'):
        assert word in stick
    assert "\x1b" not in stick


def test_the_others_with_their_reasons(forge: Forge, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "--all").splitlines()
    refused = lines[lines.index("refused") :]
    assert any("/dev/sdc" in line and "has no medium in it" in line for line in refused)
    assert any("carries the running system: /dev/sda1 is mounted on /" in line for line in refused)


def test_as_json(forge: Forge, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(shown(capsys, "--json"))
    assert document["schema"] == "liveos/devices/1"
    stick, system = (
        next(each for each in document["devices"] if each["path"] == path)
        for path in ("/dev/sdzz", "/dev/sda")
    )
    assert (stick["refused"], stick["removable"], stick["serial"]) == (None, True, "4C53")
    assert [part["label"] for part in stick["partitions"]] == ["MINE"]
    assert stick["images"] is None  # it cannot be read here
    assert "carries the running system" in system["refused"]
    assert system["uses"] == ["/dev/sda1 is mounted on /"]


def test_nothing_to_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = Forge(tmp_path / "machine")
    monkeypatch.setattr(machine, "Machine", lambda: empty.machine)
    assert main(["devices"]) == 0
    out, err = capsys.readouterr()
    assert out == "no device that can become a stick\n"
    assert "--all" in err


def test_images_stand_in_for_filesystems(capsys: pytest.CaptureFixture[str]) -> None:
    images = (FoundImage("LiveOS", "Fedora-42"), FoundImage("other", None))
    view = devices_view.devices_view([Candidate(STICK, None, images)])
    Output().show(*view)
    out = capsys.readouterr().out
    assert "LiveOS: Fedora-42" in out
    assert out.splitlines()[-1].strip() == "other"


def test_what_cannot_be_read_has_no_images(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    assert images_on(STICK) is None
    path.write_bytes(bytes(1 << 20))
    assert images_on(replace(STICK, path=path)) is None
