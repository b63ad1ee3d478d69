# SPDX-License-Identifier: Apache-2.0
"""``compact`` and ``merge`` on sticks that are not mounted, with ext4 and with FAT."""

import shutil
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from tests.tools.operations.overlay import stores
from tests.tools.operations.overlay.stores import run

pytestmark = pytest.mark.tools

_NAME = "overlay-LIVE-1234"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> stores.Case:
    return stores.make(tmp_path_factory.mktemp("case"), size=24, files=12, journal=True)


@pytest.fixture(params=["ext4", "fat", "directory"])
def stick(request: pytest.FixtureRequest, case: stores.Case, tmp_path: Path) -> Path:
    tree = tmp_path / "directory"
    (tree / "LiveOS").mkdir(parents=True)
    shutil.copyfile(case.origin, tree / "LiveOS" / "rootfs.img")
    shutil.copyfile(case.store, tree / "LiveOS" / _NAME)
    if request.param == "directory":
        return tree
    image = tmp_path / "stick.img"
    if request.param == "ext4":
        run("mke2fs", "-q", "-t", "ext4", "-L", "LIVE", "-d", tree, image, "90M")
    else:
        run("mkfs.fat", "-F", "32", "-n", "LIVE", "-C", image, "90000")
        run("mcopy", "-s", "-i", image, tree / "LiveOS", "::")
    return image


def overlay(verb: str, stick: Path, *words: str | Path) -> int:
    return main(["overlay", verb, str(stick), "--yes", *map(str, words)])


def assert_files(case: stores.Case, stick: Path, scratch: Path) -> None:
    image = scratch / "merged.img"
    assert overlay("merge", stick, "-o", image, "--force", "--replay") == ExitStatus.DONE
    stores.assert_files(image, case.kept, scratch)


def assert_sound(stick: Path) -> None:
    """What the stick's own filesystem is after it was written to."""
    if stick.is_file():
        checks = {True: ("e2fsck", "-fn"), False: ("fsck.fat", "-n")}
        with stick.open("rb") as file:
            file.seek(1080)
            run(*checks[file.read(2) == b"\x53\xef"], stick)


@pytest.mark.parametrize("words", [[], ["--in-place"], ["--size", "6M"], ["--keep-backup"]])
def test_compact(case: stores.Case, stick: Path, tmp_path: Path, words: list[str]) -> None:
    assert overlay("compact", stick, *words) == ExitStatus.DONE
    assert_sound(stick)
    assert_files(case, stick, tmp_path)


def test_no_room_for_two(case: stores.Case, tmp_path: Path) -> None:
    """On a stick that is full, the store is compacted where it is."""
    tree, image = tmp_path / "tree", tmp_path / "stick.img"
    (tree / "LiveOS").mkdir(parents=True)
    shutil.copyfile(case.origin, tree / "LiveOS" / "rootfs.img")
    shutil.copyfile(case.store, tree / "LiveOS" / _NAME)
    run("mke2fs", "-q", "-t", "ext4", "-L", "LIVE", "-d", tree, image, "52M")
    assert overlay("compact", image) == ExitStatus.DONE
    assert_sound(image)
    assert_files(case, image, tmp_path)


def test_merge_in_place(case: stores.Case, stick: Path, tmp_path: Path) -> None:
    assert overlay("merge", stick, "--in-place") == ExitStatus.DONE
    assert_sound(stick)
    assert_files(case, stick, tmp_path)


def test_merge_in_place_beside_a_backup(stick: Path) -> None:
    """What was kept of an overlay lies over the same root."""
    assert overlay("compact", stick, "--keep-backup") == ExitStatus.DONE
    assert overlay("merge", stick, "--in-place") == ExitStatus.REFUSED
