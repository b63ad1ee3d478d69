# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay repair``: words, plans and results, without any program."""

import json
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from tests.unit.cli.overlay.test_check import damaged
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.medium.overlay.test_check import Damage, healthy, put, slot


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    path.write_bytes(healthy())
    damaged(path, put(4, b"\0"), slot(45, 9, 50))
    return path


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-o", "new", "--in-place"],
        ["--in-place", "--force"],
        ["-o", "new", "--undo", "x"],
        ["-o", "new", "--no-fs", "--fsck-all"],
        ["-o", "new", "--keep", "some"],
    ],
)
def test_words_that_make_no_request(words: list[str], store: Path) -> None:
    before = store.read_bytes()
    assert main(["overlay", "repair", str(store), "--yes", *words]) == ExitStatus.USAGE
    assert store.read_bytes() == before
    assert [path.name for path in store.parent.iterdir()] == ["store"]


def test_into_a_new_file(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, before = store.with_name("new"), store.read_bytes()
    assert main(["overlay", "repair", str(store), "-o", str(new), "--yes"]) == ExitStatus.DONE
    assert capsys.readouterr().out == f"{new}: in order\n"
    assert store.read_bytes() == before
    alive = before[:4] + b"\1" + before[5:]
    assert KernelModel(bytearray(new.read_bytes()), b"").map == (
        KernelModel(bytearray(alive), b"").map
    )


def test_an_output_that_exists(store: Path) -> None:
    new = store.with_name("new")
    new.write_bytes(b"precious")
    line = ["overlay", "repair", str(store), "-o", str(new), "--yes"]
    assert main(line) == ExitStatus.REFUSED
    assert new.read_bytes() == b"precious"
    assert main([*line, "--force"]) == ExitStatus.DONE
    assert main(["overlay", "repair", str(store), "-o", str(store), "--force", "--yes"]) == (
        ExitStatus.USAGE
    )


def test_in_place_and_back(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = store.read_bytes()
    line = ["overlay", "repair", str(store), "--in-place", "--yes", "--json"]
    assert main(line) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    undo = store.with_name("store.undo")
    assert (document["undo"], document["state"]) == (str(undo), "valid")
    assert store.read_bytes() != before
    assert main(["overlay", "restore", str(undo), "--into", str(store), "--yes"]) == ExitStatus.DONE
    assert store.read_bytes() == before
    assert main(line) == ExitStatus.DONE
    assert store.with_name("store.undo2").exists()


def test_a_dry_run_says_what_is_lost(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged(store, slot(5, 15, 110), slot(7, 21, 1 << 57))
    before = store.read_bytes()
    line = ["overlay", "repair", str(store), "--in-place", "--dry-run"]
    assert main(line) == ExitStatus.DONE
    out = capsys.readouterr().out
    assert "1 entry of the list (number 5) leading behind the end of the file (R1)" in out
    assert "1 entry of the list (number 7) leading nowhere (R7)" in out
    assert store.read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "option"), [(slot(39, 15, 42), "--keep"), (put(0, b"SnAq"), "--force-header")]
)
def test_what_a_person_must_decide(
    damage: Damage, option: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged(store, damage)
    line = ["overlay", "repair", str(store), "-o", str(store.with_name("new")), "--yes"]
    assert main(line) == ExitStatus.REFUSED
    assert option in capsys.readouterr().err
    assert main([*line, option, *(["first"] if option == "--keep" else [])]) == ExitStatus.DONE


def test_nothing_to_repair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "store"
    path.write_bytes(healthy())
    assert main(["overlay", "repair", str(path), "--in-place"]) == ExitStatus.DONE
    out, err = capsys.readouterr()
    assert out == f"{path}: in order\n"
    assert "nothing is wrong with it" in err
    assert list(tmp_path.iterdir()) == [path]


def test_changes_without_an_entry_are_counted(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fact 6: a store that died had more in flight than its list ever said."""
    content = bytearray(store.read_bytes())
    free = 2 + 40 + 1  # behind 40 entries with one area between
    for chunk in (free, free + 3, free + 30):
        content[chunk * 512 : chunk * 512 + 512] = b"x" * 512
    store.write_bytes(content)
    line = ["overlay", "repair", str(store), "-o", str(store.with_name("new")), "--dry-run"]
    assert main([*line, "--json"]) == ExitStatus.DONE
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert any(note.startswith("up to 3 changes of 512 bytes each were lost") for note in notes)
    assert any("marked alive" in note for note in notes)
