# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay status``: the document, what people read, and the exit statuses."""

import json
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from tests.data.snapshot_cases import recordings

PROMISED = {
    *("kind", "path", "state", "status_line", "allocated_sectors", "total_sectors"),
    *("metadata_sectors", "chunk_sectors", "exceptions", "free_size", "warnings"),
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "overlay"
    path.write_bytes(recordings()["trixie", "records-257"].store)
    return path


def test_the_document(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The numbers are those of the reference, section 1.9: 257 records print 2080/… 24."""
    before = store.read_bytes()
    assert main(["overlay", "status", str(store), "--json"]) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    assert set(document) >= PROMISED
    assert document["schema"] == "liveos/overlay-status/1"
    assert document["kind"] == "snapshot"
    assert document["path"] == str(store)
    assert document["state"] == "valid"
    assert document["status_line"] == "2080/5600 24"
    assert document["allocated_sectors"] == 2080
    assert document["total_sectors"] == 5600
    assert document["metadata_sectors"] == 24
    assert document["chunk_sectors"] == 8
    assert document["exceptions"] == 257
    assert document["free_chunks"] == 700 - 2 - 257 - 2  # chunks, areas 1 and 2, header, area 0
    assert document["free_size"] == document["free_chunks"] * 4096
    assert document["forecast"]["ending"] == "overflow"
    assert document["warnings"] == []
    assert store.read_bytes() == before


def test_for_people(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["overlay", "status", str(store)]) == ExitStatus.DONE
    out = capsys.readouterr().out
    assert "2080/5600 24" in out
    assert "257 changed chunks" in out
    assert "\x1b" not in out
    assert all(line == line.rstrip() for line in out.splitlines())
    assert all(len(line) <= 80 for line in out.splitlines() if str(store) not in line)


def test_an_invalid_one_is_a_status_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "overlay"
    path.write_bytes(recordings()["trixie", "full-8x258-PO"].store)
    assert main(["overlay", "status", str(path), "--json"]) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    assert (document["state"], document["status_line"]) == ("invalid", "Invalid")
    assert document["free_size"] == 0
    assert document["forecast"] is None


def test_no_overlay_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "overlay"
    path.write_bytes(b"\x7fELF" * 5000)
    assert main(["overlay", "status", str(path), "--json"]) == ExitStatus.UNSUPPORTED
    document = json.loads(capsys.readouterr().out)
    assert document["state"] == "damaged"
    assert document["status_line"] is None
    assert {each["code"] for each in document["warnings"]} >= {"H3"}
