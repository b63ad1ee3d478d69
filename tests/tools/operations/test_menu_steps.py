# SPDX-License-Identifier: Apache-2.0
"""A menu on a FAT filesystem replaced: by every state that a power cut could leave, old or new."""

import random
import subprocess
from itertools import chain
from pathlib import Path

import pytest

from liveos.host.folders import fat_folder
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.folder import FolderFile
from liveos.host.volumes import FatVolume
from liveos.operations.execute import execute
from liveos.operations.plan import Plan
from liveos.operations.steps.menus import ReplaceMenu
from tests.sampling import Sampling
from tests.tools.host.power_cuts import recorded_with_programs

pytestmark = pytest.mark.tools

MIB = 1 << 20
SIZE = 4 * MIB
OLD = "menuentry old { }\n" * 40
NEW = "menuentry new { }\n" * 50 + "\udcff"


@pytest.fixture(params=[0, 7], ids=["one sector", "two sectors"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> FolderFile:
    """A menu whose entry and that of the new one lie in one sector, or in two."""
    path = tmp_path / "stick.img"
    with path.open("wb") as file:
        file.truncate(SIZE)
    volume = FatVolume(path, 0, SIZE)
    subprocess.run(["mkfs.fat", "-F", "12", path], check=True, capture_output=True)
    mtools(volume, "mmd", "::/liveos", "::/liveos/LiveOS")
    put(volume, "menu.cfg", OLD)
    for number in range(request.param):
        put(volume, f"a kernel with a long name {number}", "x")
    return FolderFile(FatFolder(volume, "/liveos/LiveOS"), "menu.cfg")


def mtools(volume: FatVolume, program: str, *arguments: str, data: bytes = b"") -> bytes:
    command = [program, "-i", str(volume), *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def put(volume: FatVolume, name: str, text: str) -> None:
    mtools(volume, "mcopy", "-", f"::/liveos/LiveOS/{name}", data=text.encode())


def change(place: FolderFile, text: str) -> None:
    execute(Plan("change the menu", (ReplaceMenu(place, text),)))


def content(place: FolderFile) -> str:
    """What mtools and we read, which is the same."""
    assert isinstance(place.folder, FatFolder)
    read = mtools(place.folder.volume, "mtype", f"::/liveos/LiveOS/{place.name}")
    with place.open() as file:
        assert file.read_at(0, file.size) == read
    return read.decode("utf-8", "surrogateescape")


def complaints(path: Path) -> list[str]:
    """What fsck.fat finds, but for clusters that no file has, and the mark of a dirty one."""
    done = subprocess.run(["fsck.fat", "-n", path], capture_output=True, check=False)
    words = ("eclaim", "ree cluster summary", "dirty", "Dirty", "Leaving", "fsck.fat", "files, ")
    lines = done.stdout.decode().splitlines()
    return [line for line in lines if line.strip() and not any(word in line for word in words)]


def test_a_menu_is_replaced(place: FolderFile) -> None:
    names = place.folder.names()
    change(place, NEW)
    assert content(place) == NEW
    assert place.folder.names() == names
    change(place, OLD)
    assert content(place) == OLD
    assert isinstance(place.folder, FatFolder)
    done = subprocess.run(["fsck.fat", "-n", place.folder.volume.path], check=False)
    assert done.returncode == 0


def test_a_cut_leaves_the_old_menu_or_the_new_one(
    place: FolderFile, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    assert isinstance(place.folder, FatFolder)
    path = place.folder.volume.path
    with recorded_with_programs(path, monkeypatch, fat_folder) as recording:
        change(place, NEW)
    torn = (sampling.of(recording.torn(random.Random(seed)), 3, seed) for seed in range(4))
    found = []
    for state in chain(sampling.of(recording.prefixes(), 8), *torn):
        path.write_bytes(state)
        found.append(content(place))
        assert found[-1] in (OLD, NEW)
        assert not [line for line in complaints(path) if "share" in line or "Bad" in line]
    assert {OLD, NEW} == set(found)


def test_the_next_run_goes_on_after_every_cut(
    place: FolderFile, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    assert isinstance(place.folder, FatFolder)
    path, names = place.folder.volume.path, place.folder.names()
    with recorded_with_programs(path, monkeypatch, fat_folder) as recording:
        change(place, NEW)
    for state in sampling.of(recording.prefixes(), 7):
        path.write_bytes(state)
        # Clusters that no file has are given back by fsck.fat, as the manual says.
        subprocess.run(["fsck.fat", "-a", "-w", path], check=False, capture_output=True)
        change(place, NEW)
        assert content(place) == NEW
        # Of a long name that was cut in half, fsck.fat leaves the short one: a file without use.
        assert {*place.folder.names()} - {"MENUCF~1.NEW"} == {*names}
