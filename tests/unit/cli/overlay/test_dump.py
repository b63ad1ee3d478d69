# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay dump``, ``pack`` and ``restore``: files in, files out, words and statuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from tests.data.snapshot_cases import recordings

COUNT = 257  # of the store below


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    path.write_bytes(recordings()["trixie", "records-257"].store)
    return path


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    path = tmp_path / "damaged"
    path.write_bytes(recordings()["trixie", "hand-tail"].store)
    return path


def run(*words: object) -> int:
    return main(["overlay", *map(str, words)])


def test_the_text_goes_to_standard_output(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("dump", store) == ExitStatus.DONE
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[0]["format"] == "liveos-exceptions"
    assert sum(line.get("length", 0) for line in lines) == COUNT
    assert lines[-1] == {"lines": len(lines)}
    assert err == ""


def test_a_damaged_store_is_dumped_and_its_damage_said(
    damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("dump", damaged) == ExitStatus.PROBLEMS_FOUND
    out, err = capsys.readouterr()
    assert '{"slot":5,"old":777,"new":20}\n' in out
    assert "fatal" in err
    assert str(damaged) in err


def test_dump_into_a_file(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("dump", store) == 0
    text = capsys.readouterr().out
    file = store.with_name("text")
    assert run("dump", store, "-o", file, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document == {"schema": "liveos/overlay-dump/1", "path": str(file), "exceptions": COUNT}
    assert file.read_text() == text


@pytest.mark.parametrize("verb", ["dump", "pack"])
def test_a_file_that_exists_is_kept(
    verb: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = store.with_name("file")
    file.write_text("mine")
    assert run(verb, store, "-o", file) == ExitStatus.REFUSED
    assert "--force" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert run(verb, store, "-o", file, "--force") == ExitStatus.DONE
    assert file.read_bytes() != b"mine"
    assert sorted(path.name for path in store.parent.iterdir()) == ["file", "store"]


@pytest.mark.parametrize("verb", ["dump", "pack"])
def test_recorded_restored_and_equal(
    verb: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, new = store.with_name("record"), store.with_name("new")
    hashes = ["--data-hashes"] if verb == "dump" else []
    assert run(verb, store, "-o", record, *hashes) == 0
    assert run("restore", record, "-o", new, "--data", store, "--yes") == 0
    assert new.read_bytes() == store.read_bytes()


@pytest.mark.parametrize("verb", ["dump", "pack"])
def test_a_reset_is_taken_back(verb: str, store: Path) -> None:
    before, record = store.read_bytes(), store.with_name("record")
    assert run(verb, store, "-o", record) == 0
    assert run("reset", store, "--yes") == 0
    assert store.read_bytes() != before
    assert run("restore", record, "--into", store, "--yes") == 0
    assert store.read_bytes() == before


def test_changed_data_are_not_covered_up(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = store.with_name("text")
    assert run("dump", store, "--data-hashes", "-o", text) == 0
    changed = bytearray(store.read_bytes())
    changed[2 * 4096] ^= 0xFF
    changed[4096 + 16 * 9] ^= 1
    store.write_bytes(changed)
    assert run("restore", text, "--into", store, "--yes") == ExitStatus.PROBLEMS_FOUND
    assert store.read_bytes() == changed
    new = store.with_name("new")
    assert run("restore", text, "-o", new, "--data", store, "--yes") == ExitStatus.PROBLEMS_FOUND
    assert not new.exists()
    assert list(store.parent.glob("*.part")) == []


def test_a_dry_run_names_what_will_be_lost(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, record = store.read_bytes(), store.with_name("record")
    assert run("pack", store, "-o", record) == 0
    capsys.readouterr()
    assert run("restore", record, "--into", store, "--dry-run") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"has {COUNT} changed chunks" in out
    assert "This will be lost" in out
    assert run("restore", record, "--into", store) == ExitStatus.REFUSED
    assert store.read_bytes() == before


def test_a_store_of_another_size_is_refused(
    store: Path, damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, before = store.with_name("record"), damaged.read_bytes()
    assert run("pack", store, "-o", record) == 0
    assert run("restore", record, "--into", damaged, "--yes") == ExitStatus.REFUSED
    assert "2867200" in capsys.readouterr().err
    assert damaged.read_bytes() == before


@pytest.mark.parametrize(
    "words", [[], ["-o", "x", "--into", "y"], ["--into", "y", "--data", "z"], ["--force"]]
)
def test_where_to_must_be_said_once(words: list[str], store: Path) -> None:
    assert run("restore", store, "--yes", *words) == ExitStatus.USAGE


@pytest.mark.parametrize("verb", ["check", "status", "dump"])
def test_records_are_read_as_stores(
    verb: str, damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack, text = damaged.with_name("pack"), damaged.with_name("text")
    assert run("pack", damaged, "-o", pack) == ExitStatus.DONE
    assert run("dump", damaged, "-o", text) == ExitStatus.PROBLEMS_FOUND
    capsys.readouterr()
    status = run(verb, damaged)
    said = capsys.readouterr()
    for record in (pack, text):
        assert run(verb, record) == status
        assert capsys.readouterr().out == said.out.replace(str(damaged), str(record))


@pytest.mark.parametrize("verb", [["reset", "--yes"], ["merge", "-o", "x", "--origin", "y"]])
def test_a_record_is_not_changed_as_a_store(
    verb: list[str], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = store.with_name("pack")
    assert run("pack", store, "-o", pack) == 0
    before = pack.read_bytes()
    assert run(verb[0], pack, *verb[1:]) == ExitStatus.UNSUPPORTED
    assert "overlay restore" in capsys.readouterr().err
    assert pack.read_bytes() == before


def test_a_record_has_no_contents_to_compare_or_hash(store: Path) -> None:
    pack = store.with_name("pack")
    assert run("pack", store, "-o", pack) == 0
    assert run("check", pack, "--origin", store) == ExitStatus.USAGE
    assert run("dump", pack, "--data-hashes") == ExitStatus.USAGE


def test_a_pack_is_small_and_without_contents(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = store.with_name("pack")
    assert main(["--json", "overlay", "pack", str(store), "-o", str(pack)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["exceptions"] == COUNT
    assert document["size"] == pack.stat().st_size < 4096
    new = store.with_name("new")
    assert run("restore", pack, "-o", new, "--yes") == 0
    content = store.read_bytes()
    assert b"w0000" in content
    assert b"w0000" not in new.read_bytes()


def test_a_damaged_text_is_refused_with_its_line(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = store.with_name("text")
    assert run("dump", store, "-o", text) == 0
    text.write_text(text.read_text().replace('"new":3', '"new":-3', 1))
    new = store.with_name("new")
    assert run("restore", text, "-o", new, "--yes") == ExitStatus.UNSUPPORTED
    assert f"{text}: line 3: " in capsys.readouterr().err
    assert not new.exists()


def test_a_reader_that_has_seen_enough_is_no_error(store: Path) -> None:
    command = f"{sys.executable} -m liveos overlay dump {store} | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
