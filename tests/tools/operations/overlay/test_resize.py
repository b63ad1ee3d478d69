# SPDX-License-Identifier: Apache-2.0
"""``overlay resize`` of bare stores and on an unmounted stick, judged by e2fsprogs."""

import json
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.formats.binary import FileSource
from liveos.formats.exception_store import MergedView, read_store
from tests.tools.operations.overlay.stores import MIB, Case, assert_files, make, run

pytestmark = pytest.mark.tools

UUID = "6c697665-6f73-4000-8000-000000000001"
OVERLAY = f"overlay-LIVE-{UUID}"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make(tmp_path_factory.mktemp("resize"), "-b", "4096")


@pytest.fixture
def store(case: Case, tmp_path: Path) -> Path:
    path = tmp_path / "overlay"
    path.write_bytes(case.store.read_bytes())
    return path


@pytest.fixture
def stick(case: Case, tmp_path: Path) -> Path:
    """An ext4 stick that nobody has mounted: 48 MiB of root, 40 of overlay, 12 free or so."""
    live = tmp_path / "tree/LiveOS"
    live.mkdir(parents=True)
    (live / "rootfs.img").hardlink_to(case.origin)
    (live / OVERLAY).hardlink_to(case.store)
    image = tmp_path / "stick.img"
    tree = tmp_path / "tree"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-L", "LIVE", "-U", UUID, "-d", tree, image, "112M")
    return image


def resize(place: Path, size: str, *more: str) -> int:
    return main(["overlay", "resize", str(place), size, "--yes", "--json", *more])


def shows(case: Case, store: Path) -> bool:
    """Whether a store shows what it is to show, over its origin."""
    with FileSource(store) as source, FileSource(case.origin) as origin:
        view = MergedView(origin, read_store(source), source)
        return view.read_at(0, view.size) == case.view.read_bytes()


def on_stick(stick: Path, scratch: Path) -> bytes:
    run("e2fsck", "-fn", stick)
    run("debugfs", "-R", f"dump /LiveOS/{OVERLAY} {scratch}", stick)
    return scratch.read_bytes()


@pytest.mark.parametrize(
    ("size", "there"),
    [("64M", 64 * MIB), ("+24M", 64 * MIB), ("-10M", 30 * MIB), ("+50%", 60 * MIB)],
)
def test_a_bare_store(
    case: Case, store: Path, size: str, there: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["overlay", "resize", str(store), size, "--dry-run", "--json"]) == ExitStatus.DONE
    (*_, promise) = json.loads(capsys.readouterr().out)["notes"]
    assert store.stat().st_size == 40 * MIB
    assert resize(store, size) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    assert store.stat().st_size == document["size"] == there
    assert promise.endswith(document["status_line"])
    assert shows(case, store)


def test_as_large_as_its_root_can_need(case: Case, store: Path) -> None:
    """48 MiB are 12288 chunks: with a list of 49 areas and the header, 12338."""
    origin = ("--origin", str(case.origin))
    assert resize(store, "max", *origin) == ExitStatus.DONE
    assert store.stat().st_size == (12288 + 49 + 1) * 4096
    assert shows(case, store)
    assert resize(store, "60G", *origin) == ExitStatus.DONE
    assert store.stat().st_size == (12288 + 49 + 1) * 4096


def test_a_stick_that_is_not_mounted(case: Case, stick: Path, tmp_path: Path) -> None:
    before = case.store.read_bytes()
    assert resize(stick, "+5M") == ExitStatus.DONE
    scratch = tmp_path / "scratch"
    assert bool(on_stick(stick, scratch) == before + bytes(5 * MIB))
    assert shows(case, scratch)
    assert resize(stick, "-5M") == ExitStatus.DONE
    assert bool(on_stick(stick, scratch) == before)


def test_a_fat_stick(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There every byte has its cluster, and no file reaches 4 GiB."""
    stick, scratch = tmp_path / "stick.img", tmp_path / "scratch"
    with stick.open("wb") as file:
        file.truncate(160 * MIB)
    run("mkfs.fat", "-F", "32", "-n", "LIVE", "-i", "0BADCAFE", stick)
    run("mmd", "-i", stick, "::LiveOS")
    overlay = "::LiveOS/overlay-LIVE-0BAD-CAFE"
    run("mcopy", "-i", stick, case.origin, "::LiveOS/rootfs.img")
    run("mcopy", "-i", stick, case.store, overlay)
    assert resize(stick, "+5M") == ExitStatus.DONE
    run("fsck.fat", "-n", stick)
    run("mcopy", "-n", "-i", stick, overlay, scratch)
    assert bool(scratch.read_bytes() == case.store.read_bytes() + bytes(5 * MIB))
    capsys.readouterr()


def test_no_room_on_the_stick(
    stick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = run("dumpe2fs", "-h", stick).decode().splitlines()
    free = next(int(line.split()[-1]) for line in header if line.startswith("Free blocks"))
    filler = tmp_path / "filler"
    filler.write_bytes(b"f" * (free * 4096 - 3 * MIB))
    run("debugfs", "-w", "-R", f"write {filler} filler", stick)
    before = stick.read_bytes()
    assert resize(stick, "+5M") == ExitStatus.NO_SPACE
    assert "free" in capsys.readouterr().err
    assert bool(stick.read_bytes() == before)


def test_too_small(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = store.read_bytes()
    assert resize(store, "4M") == ExitStatus.REFUSED
    err = capsys.readouterr().err
    assert "least size" in err
    assert "--origin" in err
    assert bool(store.read_bytes() == before)


def test_smaller_than_what_it_holds_in_vain(
    case: Case, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is compacted on the way; what its files have stays, as e2fsck and debugfs see it."""
    origin = ("--origin", str(case.origin))
    with FileSource(store) as source:
        present = (read_store(source).next_free() + 1) * 4096
    small = f"{present * 3 // 4 // 1024}K"
    assert resize(store, small) == ExitStatus.REFUSED
    capsys.readouterr()
    assert resize(store, small, *origin) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["size"] == store.stat().st_size < present
    merged = store.parent / "merged.img"
    with FileSource(store) as source, FileSource(case.origin) as root:
        view = MergedView(root, read_store(source), source)
        merged.write_bytes(view.read_at(0, view.size))
    assert_files(merged, case.kept, store.parent)
    assert resize(store, "100K", *origin) == ExitStatus.REFUSED
    assert "even when it is compacted" in capsys.readouterr().err


def test_directories_and_images_are_refused(
    stick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    medium = tmp_path / "medium/LiveOS"
    (medium / "overlay-A").mkdir(parents=True)
    (medium / "ovlwork").mkdir()
    (medium / "rootfs.img").hardlink_to(tmp_path / "tree/LiveOS/rootfs.img")
    assert resize(medium.parent, "+1G") == ExitStatus.UNSUPPORTED
    assert "no size of its own" in capsys.readouterr().err
    (medium / "overlay-A").rmdir()
    run("mke2fs", "-q", "-F", "-t", "ext4", medium / "overlay-A", "8M")
    assert resize(medium.parent, "+1G") == ExitStatus.UNSUPPORTED
    assert "resize2fs" in capsys.readouterr().err
