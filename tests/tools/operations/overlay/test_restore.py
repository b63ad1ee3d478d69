# SPDX-License-Identifier: Apache-2.0
"""``overlay dump``, ``pack`` and ``restore`` on an unmounted stick, judged by e2fsprogs."""

from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from tests.tools.operations.overlay.stores import Case, make, run

pytestmark = pytest.mark.tools

UUID = "6c697665-6f73-4000-8000-000000000001"
OVERLAY = f"overlay-LIVE-{UUID}"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make(tmp_path_factory.mktemp("restore"), "-b", "4096")


@pytest.fixture
def stick(case: Case, tmp_path: Path) -> Path:
    """An ext4 stick that nobody has mounted."""
    live = tmp_path / "tree/LiveOS"
    live.mkdir(parents=True)
    (live / "rootfs.img").hardlink_to(case.origin)
    (live / OVERLAY).hardlink_to(case.store)
    image, tree = tmp_path / "stick.img", tmp_path / "tree"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-L", "LIVE", "-U", UUID, "-d", tree, image, "112M")
    return image


def overlay_of(stick: Path, scratch: Path) -> bytes:
    run("e2fsck", "-fn", stick)
    run("debugfs", "-R", f"dump /LiveOS/{OVERLAY} {scratch}", stick)
    return scratch.read_bytes()


@pytest.mark.parametrize("words", [["dump", "--data-hashes"], ["pack"]])
def test_a_reset_overlay_on_a_stick_is_put_back(
    case: Case, stick: Path, tmp_path: Path, words: list[str]
) -> None:
    record, scratch = tmp_path / "record", tmp_path / "scratch"
    before = case.store.read_bytes()
    assert main(["overlay", *words, str(stick), "-o", str(record)]) == ExitStatus.DONE
    assert main(["overlay", "reset", str(stick), "--yes"]) == ExitStatus.DONE
    assert bool(overlay_of(stick, scratch) != before)
    line = ["overlay", "restore", str(record), "--into", str(stick), "--yes"]
    assert main(line) == ExitStatus.DONE
    assert bool(overlay_of(stick, scratch) == before)


def test_an_overlay_is_taken_off_a_stick_with_its_data(
    case: Case, stick: Path, tmp_path: Path
) -> None:
    """What the records do not name is not copied, and is not part of what the store shows."""
    pack, new, merged = tmp_path / "pack", tmp_path / "new", tmp_path / "merged"
    assert main(["overlay", "pack", str(stick), "-o", str(pack)]) == ExitStatus.DONE
    assert pack.stat().st_size < case.store.stat().st_size / 1000
    line = ["overlay", "restore", str(pack), "-o", str(new), "--data", str(stick), "--yes"]
    assert main(line) == ExitStatus.DONE
    line = ["overlay", "merge", str(new), "--origin", str(case.origin), "-o", str(merged), "--yes"]
    assert main(line) == ExitStatus.DONE
    assert bool(merged.read_bytes() == case.view.read_bytes())
