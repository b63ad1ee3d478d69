# SPDX-License-Identifier: Apache-2.0
"""``overlay merge`` on stores over real filesystems: e2fsprogs judge what comes out."""

import json
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.formats.binary import FileSource
from liveos.formats.exception_store import status_line
from tests.tools.operations.overlay import stores
from tests.tools.operations.overlay.stores import MIB, run

pytestmark = pytest.mark.tools


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> stores.Case:
    return stores.make(tmp_path_factory.mktemp("merge"))


@pytest.fixture
def own(tmp_path: Path) -> stores.Case:
    """A case that may be changed."""
    return stores.make(tmp_path, journal=True)


def merge(case: stores.Case, *words: str | Path, origin: Path | None = None) -> int:
    root = origin or case.origin
    line = ["overlay", "merge", str(case.store), "--origin", str(root), "--yes"]
    return main([*line, *map(str, words)])


def test_a_new_file(case: stores.Case, tmp_path: Path) -> None:
    new = tmp_path / "new.img"
    assert merge(case, "-o", new) == ExitStatus.DONE
    assert stores.is_same(new, case.view)
    stores.assert_files(new, case.kept, tmp_path)
    assert new.stat().st_blocks * 512 < 30 * MIB
    assert [path.name for path in tmp_path.iterdir()] == ["new.img"]


def test_a_root_inside_a_squashfs(case: stores.Case, tmp_path: Path) -> None:
    tree = tmp_path / "tree" / "LiveOS"
    tree.mkdir(parents=True)
    (tree / "rootfs.img").write_bytes(case.origin.read_bytes())
    squashfs, new = tmp_path / "squashfs.img", tmp_path / "new.img"
    run("mksquashfs", tree.parent, squashfs, "-quiet", "-no-progress")
    assert merge(case, "-o", new, origin=squashfs) == ExitStatus.DONE
    assert stores.is_same(new, case.view)
    assert new.stat().st_blocks * 512 < 30 * MIB
    assert merge(case, "--in-place", origin=squashfs) == ExitStatus.UNSUPPORTED


def test_replay(own: stores.Case, tmp_path: Path) -> None:
    raw, new = tmp_path / "raw.img", tmp_path / "new.img"
    assert merge(own, "-o", raw) == ExitStatus.DONE
    assert stores.is_same(raw, own.view)
    assert merge(own, "-o", new, "--replay") == ExitStatus.DONE
    expected = stores.recovered(own.view, tmp_path / "expected.img")
    assert run("debugfs", "-R", "stat /old1", new) == run("debugfs", "-R", "stat /old1", expected)
    stores.assert_files(new, own.kept, tmp_path)


def test_in_place(own: stores.Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert merge(own, "--in-place", "--json") == ExitStatus.DONE
    assert json.loads(capsys.readouterr().out)["path"] == str(own.origin)
    assert stores.is_same(own.origin, own.view)
    with FileSource(own.store) as store:
        assert status_line(store) == f"16/{own.store.stat().st_size // 512} 16"
    run("e2fsck", "-fy", own.origin, good=(0, 1))
    stores.assert_files(own.origin, own.kept, tmp_path)


def test_in_place_says_what_is_lost(own: stores.Case, capsys: pytest.CaptureFixture[str]) -> None:
    before = own.origin.read_bytes(), own.store.read_bytes()
    assert merge(own, "--in-place", "--dry-run", "--json") == ExitStatus.DONE
    (loss,) = json.loads(capsys.readouterr().out)["destroys"]
    assert str(own.origin) in loss
    assert stores.is_same(own.origin, before[0])
    assert stores.is_same(own.store, before[1])


def test_another_overlay_of_the_same_root(
    own: stores.Case, capsys: pytest.CaptureFixture[str]
) -> None:
    other = own.origin.with_name("overlay-LIVE-1234")
    other.write_bytes(b"")
    assert merge(own, "--in-place") == ExitStatus.REFUSED
    assert other.name in capsys.readouterr().err


@pytest.mark.parametrize("name", ["new.img", "new.img.part"])
def test_nothing_is_overwritten_unasked(case: stores.Case, tmp_path: Path, name: str) -> None:
    there = tmp_path / name
    there.write_bytes(b"precious")
    new = tmp_path / "new.img"
    assert merge(case, "-o", new) == ExitStatus.REFUSED
    assert there.read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 1
    assert merge(case, "-o", new, "--force") == ExitStatus.DONE
    assert stores.is_same(new, case.view)
    assert [path.name for path in tmp_path.iterdir()] == ["new.img"]


def test_the_root_is_no_output(case: stores.Case) -> None:
    assert merge(case, "-o", case.origin, "--force") == ExitStatus.USAGE


def test_an_invalid_store(own: stores.Case, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(own.store.read_bytes())
    data[4] = 0
    own.store.write_bytes(data)
    assert merge(own, "-o", own.store.with_name("new.img")) == ExitStatus.UNSUPPORTED
    assert "overlay repair" in capsys.readouterr().err


def test_another_root(own: stores.Case, tmp_path: Path) -> None:
    other = tmp_path / "other.img"
    other.write_bytes(own.origin.read_bytes())
    run("tune2fs", "-f", "-U", "random", other)
    assert merge(own, "-o", tmp_path / "new.img", origin=other) == ExitStatus.REFUSED


@pytest.mark.parametrize("words", [[], ["--in-place", "-o", "x"], ["--in-place", "--replay"]])
def test_words_that_make_no_request(case: stores.Case, words: list[str]) -> None:
    assert merge(case, *words) == ExitStatus.USAGE
