# SPDX-License-Identifier: Apache-2.0
"""``overlay status`` of what is no snapshot store: numbers as e2fsprogs and statvfs(3) see them."""

import json
import re
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from tests.tools.operations.overlay.sticks import MIB, NAME, Stick, make_stick
from tests.tools.operations.overlay.stores import run
from tests.tools.operations.overlay.test_late import dumped, overlay, status, used_upper

pytestmark = pytest.mark.tools

UUID = "6c697665-6f73-4000-8000-00000000002a"
WORD = f"rd.live.overlay=UUID={UUID}:/{NAME}/overlay-LIVE-{UUID}"


def free_size(words: list[str | Path]) -> int:
    """As dumpe2fs counts the free blocks."""
    told = run("dumpe2fs", "-h", *words).decode()
    numbers = dict(re.findall(r"^(Free blocks|Block size): +(\d+)$", told, re.MULTILINE))
    return int(numbers["Free blocks"]) * int(numbers["Block size"])


def words_of(stick: Stick, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["overlay", "status", str(stick.path)]) == ExitStatus.DONE
    return capsys.readouterr().out


def test_a_directory_has_the_room_of_its_filesystem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_stick(tmp_path, beside=used_upper(tmp_path), words=(WORD,))
    facts = status(stick, capsys)
    live = tmp_path / "live.img"  # what lies on the stick
    assert facts["free_size"] == free_size([live])
    assert facts["size"] is None
    assert facts["filesystem"] == "ext4"
    assert facts["read_only"] is False
    held = facts["contents"]
    assert isinstance(held, dict)
    numbers = (held["files"], held["directories"], held["whiteouts"], held["size"])
    assert numbers == (700, 8, 0, sum(range(700)))


def test_an_image_has_the_room_of_the_filesystem_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_stick(tmp_path)
    assert overlay("create", stick, "--kind", "image", "--size", "16M") == ExitStatus.DONE
    facts = status(stick, capsys)
    assert facts["size"] == 16 * MIB
    assert facts["free_size"] == free_size([dumped(stick, tmp_path)])
    assert facts["filesystem"] == "ext4"


def test_an_overlay_that_is_only_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (WORD, "rd.live.overlay.readonly", "rd.overlay.readonly")
    stick = make_stick(tmp_path, beside=used_upper(tmp_path), words=words)
    assert status(stick, capsys)["read_only"] is True
    assert "read-only, unless another boot entry is chosen" in words_of(stick, capsys)


def test_a_root_that_is_written_to_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_stick(tmp_path, uncompressed=True, words=("rd.live.overlay=none",))
    facts = status(stick, capsys)
    root = tmp_path / "root.img"
    stick.debugfs(f"dump /{NAME}/rootfs.img {root}")
    assert facts["kind"] == "direct"
    assert facts["size"] == 8 * MIB
    assert facts["free_size"] == free_size([root])
    assert "the root itself is written to" in words_of(stick, capsys)
    before = stick.path.read_bytes()
    for verb, outcome in (
        ("create", ExitStatus.REFUSED),
        ("remove", ExitStatus.REFUSED),
        ("reset", ExitStatus.UNSUPPORTED),
        ("compact", ExitStatus.UNSUPPORTED),
    ):
        assert overlay(verb, stick) == outcome
        assert "into" in capsys.readouterr().err
    assert stick.path.read_bytes() == before


def test_an_image_without_any_overlay_can_have_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_stick(tmp_path, uncompressed=True)
    assert main(["overlay", "status", str(stick.path)]) == ExitStatus.UNSUPPORTED
    assert f"liveos overlay create {stick.path}:{NAME}" in capsys.readouterr().err
    assert overlay("create", stick, "--size", "10%") == ExitStatus.NO_SPACE
    assert overlay("create", stick, "--size", "rest") == ExitStatus.DONE
    assert json.loads(stick.debugfs(f"cat /{NAME}/image.json"))["overlay"]["kind"] == "snapshot"
