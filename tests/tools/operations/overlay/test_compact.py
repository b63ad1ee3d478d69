# SPDX-License-Identifier: Apache-2.0
"""``overlay compact`` on stores over real filesystems: e2fsprogs judge what is left."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.formats.binary import FileSource
from liveos.formats.exception_store import read_store, status_line
from liveos.host.folders.folder import HostFolder
from tests.tools.operations.overlay import stores
from tests.unit.formats.exception_store.kernel_model import KernelModel

pytestmark = pytest.mark.tools


@pytest.fixture
def case(tmp_path: Path) -> stores.Case:
    made = tmp_path / "made"
    made.mkdir()
    return stores.make(made, size=24, files=12, journal=True)


def compact(case: stores.Case, *words: str | Path, store: Path | None = None) -> int:
    line = ["overlay", "compact", str(store or case.store), "--origin", str(case.origin)]
    return main([*line, *map(str, words)])


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def assert_files(case: stores.Case, store: Path, scratch: Path) -> None:
    """What a system that starts on the store finds."""
    image = scratch / "merged.img"
    line = ["overlay", "merge", store, "--origin", case.origin, "-o", image, "--force", "--yes"]
    assert main([str(word) for word in line]) == ExitStatus.DONE
    stores.assert_files(image, case.kept, scratch)


def names(case: stores.Case) -> list[str]:
    return sorted(path.name for path in case.store.parent.glob("overlay*"))


def test_beside(case: stores.Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = case.store.stat()
    assert compact(case, "--yes", "--json") == ExitStatus.DONE
    found = document(capsys)
    assert found["schema"] == "liveos/overlay-compact/1"
    assert found["gained"] == found["after"]["free_size"] - found["before"]["free_size"] > 0
    assert found["after"]["exceptions"] < found["before"]["exceptions"]
    assert case.store.stat().st_size == before.st_size
    assert case.store.stat().st_mode == before.st_mode
    assert case.store.stat().st_ino != before.st_ino
    assert names(case) == ["overlay"]
    with FileSource(case.store) as source:
        store = read_store(source)
        assert store.is_canonical
        assert store.old.tolist() == sorted(store.old.tolist())
        assert status_line(source) == found["after"]["status_line"]
    assert_files(case, case.store, tmp_path)


def test_twice_is_once(case: stores.Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert compact(case, "--yes") == ExitStatus.DONE
    once = case.store.read_bytes(), case.store.stat().st_mtime_ns
    capsys.readouterr()
    assert compact(case) == ExitStatus.DONE
    assert "nothing" in capsys.readouterr().out
    assert stores.is_same(case.store, once[0])
    assert case.store.stat().st_mtime_ns == once[1]
    copy = case.store.with_name("copy")
    assert compact(case, "--yes", "-o", copy) == ExitStatus.DONE
    assert stores.is_same(copy, once[0])


def test_in_place(case: stores.Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inode = case.store.stat().st_ino
    assert compact(case, "--yes", "--in-place", "--json") == ExitStatus.DONE
    found = document(capsys)
    assert found["gained"] > 0
    assert case.store.stat().st_ino == inode
    assert main(["overlay", "check", str(case.store)]) == ExitStatus.DONE
    assert_files(case, case.store, tmp_path)
    once = case.store.read_bytes()
    assert compact(case, "--yes", "--in-place") == ExitStatus.DONE
    assert stores.is_same(case.store, once)


def test_both_ways_gain_the_same(case: stores.Case, capsys: pytest.CaptureFixture[str]) -> None:
    other = case.store.with_name("other")
    other.write_bytes(case.store.read_bytes())
    assert compact(case, "--yes", "--json") == ExitStatus.DONE
    beside = document(capsys)["after"]
    assert compact(case, "--yes", "--json", "--in-place", store=other) == ExitStatus.DONE
    assert document(capsys)["after"]["status_line"] == beside["status_line"]


def test_no_room_for_two(
    case: stores.Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HostFolder, "free", lambda _folder: 100_000)
    inode = case.store.stat().st_ino
    assert compact(case, "--yes") == ExitStatus.DONE
    assert case.store.stat().st_ino == inode
    assert_files(case, case.store, tmp_path)


def test_a_full_store_whose_journal_waits(case: stores.Case, tmp_path: Path) -> None:
    """What an overflow leaves: the replay finds no room before something is dropped."""
    with FileSource(case.store) as source:
        store = read_store(source)
        size = store.geometry.chunks_for(store.count) * store.geometry.chunk_size
    os.truncate(case.store, size)
    assert compact(case, "--yes", "--in-place") == ExitStatus.DONE
    assert case.store.stat().st_size == size
    assert_files(case, case.store, tmp_path)


def test_dry_run(case: stores.Case, capsys: pytest.CaptureFixture[str]) -> None:
    before = case.store.read_bytes()
    assert compact(case, "--dry-run", "--json") == ExitStatus.DONE
    layout = {each["what"]: each["size"] for each in document(capsys)["layout"]}
    assert stores.is_same(case.store, before)
    # Of 12 new files of 200,000 bytes, 6 were deleted again.
    assert layout["of deleted files"] >= 6 * 200_000
    assert layout["still needed"] >= 6 * 200_000


def test_new_file(case: stores.Case, tmp_path: Path) -> None:
    before, new = case.store.read_bytes(), tmp_path / "new"
    assert compact(case, "--yes", "-o", new) == ExitStatus.DONE
    assert stores.is_same(case.store, before)
    assert compact(case, "--yes", "-o", new) == ExitStatus.REFUSED
    assert_files(case, new, tmp_path)


@pytest.mark.parametrize("words", [[], ["--in-place"]])
def test_size(case: stores.Case, tmp_path: Path, words: list[str]) -> None:
    assert compact(case, "--yes", "--size", "6M", *words) == ExitStatus.DONE
    assert case.store.stat().st_size == 6 << 20
    assert_files(case, case.store, tmp_path)
    assert compact(case, "--yes", "--size", "20M", *words) == ExitStatus.DONE
    assert case.store.stat().st_size == 20 << 20
    assert_files(case, case.store, tmp_path)


def test_a_size_that_dies_when_it_fills(case: stores.Case) -> None:
    boundary = 4096 * (257 * 8 + 1)
    assert compact(case, "--yes", "--size", str(boundary)) == ExitStatus.DONE
    assert case.store.stat().st_size == boundary + 4096


def test_too_small(case: stores.Case, capsys: pytest.CaptureFixture[str]) -> None:
    before = case.store.read_bytes()
    assert compact(case, "--yes", "--size", "100K") == ExitStatus.NO_SPACE
    assert "--size" in capsys.readouterr().err
    assert stores.is_same(case.store, before)


def test_backup(case: stores.Case) -> None:
    before = case.store.read_bytes()
    assert compact(case, "--yes", "--keep-backup") == ExitStatus.DONE
    assert names(case) == ["overlay", "overlay.bak"]
    assert stores.is_same(case.store.with_name("overlay.bak"), before)


def test_what_an_interrupted_run_left(
    case: stores.Case, capsys: pytest.CaptureFixture[str]
) -> None:
    left = case.store.with_name("overlay.new")
    left.write_bytes(b"half a store")
    assert compact(case, "--dry-run") == ExitStatus.DONE
    said = capsys.readouterr().out.replace("\n", "")
    assert f"{left.name}, which" in said.partition("This will be lost")[2]
    assert compact(case, "--yes") == ExitStatus.DONE
    assert names(case) == ["overlay"]


def test_damage_is_for_repair(case: stores.Case, capsys: pytest.CaptureFixture[str]) -> None:
    with case.store.open("r+b") as file:
        file.seek(4096 + 16 + 8)
        file.write(bytes([1]))  # the second record's data lie in the first area now
    assert compact(case, "--yes") == ExitStatus.UNSUPPORTED
    assert "overlay repair" in capsys.readouterr().err


def test_another_root(case: stores.Case, capsys: pytest.CaptureFixture[str]) -> None:
    stores.run("tune2fs", "-f", "-U", "random", case.origin)
    assert compact(case, "--yes") == ExitStatus.REFUSED
    assert "belong together" in capsys.readouterr().err


def test_no_filesystem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only what equals the root can be dropped, and that is said."""
    origin, store = tmp_path / "rootfs.img", tmp_path / "overlay"
    stores.run("mkfs.fat", "-C", origin, "4096")
    model = KernelModel(bytearray(1 << 20), origin.read_bytes())
    for chunk in range(500, 520):
        model.write(chunk * 8, b"new-data" * 512)
    for chunk in range(500, 520, 2):
        model.write(chunk * 8, bytes(4096))
    store.write_bytes(model.device)
    line = ["overlay", "compact", str(store), "--origin", str(origin)]
    assert main([*line, "--dry-run"]) == ExitStatus.DONE
    assert "not an ext2, ext3 or ext4" in capsys.readouterr().out
    assert main([*line, "--yes", "--json"]) == ExitStatus.DONE
    assert document(capsys)["after"]["exceptions"] == 10
    with FileSource(store) as source:
        assert read_store(source).old.tolist() == list(range(501, 520, 2))


@pytest.mark.parametrize(
    "words",
    [["--in-place", "-o", "x"], ["--in-place", "--keep-backup"], ["--force"], ["--size", "1GB"]],
)
def test_words_that_make_no_request(case: stores.Case, words: list[str]) -> None:
    assert compact(case, "--yes", *words) == ExitStatus.USAGE
