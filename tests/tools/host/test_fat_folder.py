# SPDX-License-Identifier: Apache-2.0
"""Directories inside an unmounted FAT, as mtools and fsck.fat see them afterwards."""

import random
import subprocess
from itertools import chain
from pathlib import Path

import pytest

from liveos.errors import NoSpaceError, RefusedError
from liveos.formats.binary import TruncatedError
from liveos.formats.fat.exchange import exchange
from liveos.formats.fat.reader import Fat
from liveos.host.folders.fat_folder import LARGEST_FILE, FatFolder
from liveos.host.folders.folder import FolderFile
from liveos.host.volumes import FatVolume
from tests.sampling import Sampling
from tests.tools.host.power_cuts import recorded

pytestmark = pytest.mark.tools

MIB = 1 << 20
OFFSET = MIB


@pytest.fixture(params=["16", "32"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> FatFolder:
    path = tmp_path / "stick.img"
    size = 40 * MIB
    with path.open("wb") as file:
        file.truncate(OFFSET + size + MIB)
    cluster = {"16": "2", "32": "1"}[request.param]  # sectors: so that the clusters are as many
    options = ["-F", request.param, "-s", cluster, "--offset", str(OFFSET // 512)]
    subprocess.run(["mkfs.fat", *options, path, str(size // 1024)], check=True, capture_output=True)
    volume = FatVolume(path, OFFSET, size)
    mtools(volume, "mmd", "::/LiveOS")
    return FatFolder(volume, "/LiveOS")


def mtools(volume: FatVolume, program: str, *arguments: str, data: bytes = b"") -> bytes:
    done = subprocess.run(
        [program, "-i", str(volume), *arguments],
        input=data,
        capture_output=True,
        check=True,
        env={"MTOOLS_SKIP_CHECK": "1", "PATH": "/usr/bin"},
    )
    return done.stdout


def cat(folder: FatFolder, name: str) -> bytes:
    return mtools(folder.volume, "mtype", f"::/LiveOS/{name}")


def complaints(folder: FatFolder) -> list[str]:
    """What fsck.fat finds wrong, on a copy without the offset that it does not know."""
    copy = folder.volume.path.with_name("copy")
    data = folder.volume.path.read_bytes()
    copy.write_bytes(data[OFFSET : OFFSET + folder.volume.size])
    done = subprocess.run(["fsck.fat", "-n", "-v", copy], capture_output=True, check=False)
    assert (done.returncode == 0) == (b"Leaving filesystem unchanged" not in done.stdout)
    lines = done.stdout.decode().splitlines()
    return [line.strip() for line in lines if "eclaim" in line or "share" in line or "Bad" in line]


def put(folder: FatFolder, name: str, content: bytes) -> None:
    with folder.create(name, len(content)) as file:
        file.write_at(0, content)


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


NAME = "overlay-Live Test-1234-ABCD"


def test_a_new_file(folder: FatFolder) -> None:
    content = noise(300_001)
    with folder.create(NAME, 300_001) as file:
        assert file.read_at(0, 300_001) == bytes(300_001)
        file.write_at(0, content[:100_000])
        file.write_at(100_000, content[100_000:])
        assert file.read_at(5, 299_000) == content[5:299_005]
    assert cat(folder, NAME) == content
    assert folder.names() == (NAME,)
    assert complaints(folder) == []


def test_a_file_in_pieces_changes_in_place(folder: FatFolder) -> None:
    for number in range(40):
        put(folder, f"filler{number}", noise(1_000))
    for number in range(0, 40, 2):
        folder.remove(f"filler{number}")
    content = bytearray(noise(60_000))
    put(folder, "a", bytes(content))
    with folder.open("a", writable=True) as file:
        file.write_at(500, b"x" * 30_000)
        with pytest.raises(TruncatedError):
            file.write_at(59_999, b"xy")
    content[500:30_500] = b"x" * 30_000
    assert cat(folder, "a") == content
    assert complaints(folder) == []


@pytest.mark.parametrize("keep", [None, f"{NAME}.bak"])
def test_replacing(folder: FatFolder, keep: str | None) -> None:
    put(folder, NAME, noise(5_000, 1))
    put(folder, f"{NAME}.new", noise(7_000, 2))
    folder.replace(f"{NAME}.new", NAME, keep)
    assert cat(folder, NAME) == noise(7_000, 2)
    assert folder.names() == ((NAME,) if keep is None else (NAME, keep))
    if keep is not None:
        assert cat(folder, keep) == noise(5_000, 1)
    assert complaints(folder) == []


def test_what_is_there_is_never_overwritten(folder: FatFolder) -> None:
    for name in ("overlay", "new", "keep"):
        put(folder, name, name.encode())
    with pytest.raises(RefusedError), folder.create("OVERLAY", 1):
        pass
    with pytest.raises(RefusedError):
        folder.replace("new", "overlay", "Keep")
    assert [cat(folder, name) for name in folder.names()] == [b"keep", b"new", b"overlay"]


def test_publishing(folder: FatFolder) -> None:
    put(folder, "new", noise(300_001))
    put(folder, "there", b"x" * 5)
    with pytest.raises(RefusedError, match="exists"):
        folder.publish("new", "there")
    folder.publish("new", "it")
    assert folder.names() == ("it", "there")
    assert cat(folder, "it") == noise(300_001)
    assert not complaints(folder)


def test_resizing(folder: FatFolder) -> None:
    content = noise(100_000)
    put(folder, "a", content)
    expected = content
    for size in (1_000_001, 50_001, 60_000, 5_000):
        folder.resize("a", size)
        expected = expected[:size].ljust(size, b"\0")
        assert cat(folder, "a") == expected
    assert folder.names() == ("a",)
    assert complaints(folder) == []


def test_no_space_is_known_before_anything_is_written(folder: FatFolder) -> None:
    before = folder.volume.path.read_bytes()
    for size in (41 * MIB, LARGEST_FILE + 1):
        with pytest.raises(NoSpaceError), folder.create("a", size):
            pass
    assert folder.volume.path.read_bytes() == before
    assert folder.limit() == 4 * 1024 * MIB - 1


def test_all_that_is_free_can_be_used(folder: FatFolder) -> None:
    free = folder.free()
    with folder.create("a", free):
        pass
    assert complaints(folder) == []
    folder.remove("a")
    assert folder.free() == free


def test_a_body_that_fails_leaves_no_file(folder: FatFolder) -> None:
    free = folder.free()
    with pytest.raises(TruncatedError), folder.create("a", MIB) as file:
        file.write_at(MIB, b"x")
    assert folder.names() == ()
    assert folder.free() == free


def test_directories_and_strange_names_are_refused(folder: FatFolder) -> None:
    mtools(folder.volume, "mmd", "::/LiveOS/d")
    with pytest.raises(RefusedError), folder.open("d", writable=True):
        pass
    with pytest.raises(RefusedError):
        folder.remove("d")
    for name in ("*", "a?", "[a]", "a\nb", "../a", "a:b"):
        with pytest.raises(RefusedError), folder.create(name, 1):
            pass
    with pytest.raises(FileNotFoundError), folder.open("nothing"):
        pass
    with pytest.raises(FileNotFoundError):
        FatFolder(folder.volume, "/nowhere").names()
    assert folder.names() == ()


def test_reading_writes_nothing(folder: FatFolder) -> None:
    put(folder, "a", b"abc")
    before = folder.volume.path.read_bytes()
    with folder.open("a") as file:
        assert file.read_at(0, 3) == b"abc"
        with pytest.raises(OSError, match="not opened"):
            file.write_at(0, b"x")
    assert folder.volume.path.read_bytes() == before
    assert str(FolderFile(folder, "a")) == f"{folder.volume.path}:/LiveOS/a"


def test_nothing_outside_the_volume_is_touched(folder: FatFolder) -> None:
    path, end = folder.volume.path, OFFSET + folder.volume.size
    with path.open("r+b") as file:
        file.write(b"\xa5" * OFFSET)
        file.seek(end)
        file.write(b"\xa5" * MIB)
    put(folder, "a", noise(30 * MIB))
    folder.resize("a", 3)
    disk = path.read_bytes()
    assert disk[:OFFSET] == b"\xa5" * OFFSET
    assert disk[end:] == b"\xa5" * MIB


@pytest.mark.parametrize("between", [0, 6])
def test_an_exchange_cut_off_leaves_the_old_or_the_new(
    folder: FatFolder, between: int, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    """With the two entries in one sector, and in two."""
    old, new = noise(5_000, 1), noise(7_000, 2)
    put(folder, NAME, old)
    for number in range(between):
        put(folder, f"another file with a long name {number}", b"x")
    put(folder, "new", new)
    path = folder.volume.path
    with recorded(path, monkeypatch) as recording, folder._window() as window:
        fs = Fat(window)
        entries = [fs.lookup(f"/LiveOS/{name}") for name in (NAME, "new")]
        positions = {entry.handle.position // 512 for entry in entries if entry}
        assert len(positions) == (2 if between else 1)
        exchange(window, *(entry.handle for entry in entries if entry))
    found = []
    prefixes = sampling.of(recording.prefixes(), 6)
    for state in chain(prefixes, sampling.of(recording.torn(random.Random(1)), 4)):
        path.write_bytes(state)
        found.append(cat(folder, NAME))
        other = cat(folder, "new")
        assert found[-1] in (old, new)
        if between:
            assert other in (b"", old, new)
            assert other != found[-1]
            assert not [line for line in complaints(folder) if "share" in line]
        else:
            assert {found[-1], other} == {old, new}
            assert complaints(folder) == []
    assert {old, new} == set(found)


def test_the_whole_stick_is_held(folder: FatFolder) -> None:
    """mtools works on what we hold ourselves."""
    with folder.hold("a"):
        with pytest.raises(RefusedError), folder.hold("b"):
            pass
        put(folder, "a", b"abc")
        folder.resize("a", 5)
    assert cat(folder, "a") == b"abc\0\0"


def test_directories_are_made_where_they_are_missing(folder: FatFolder) -> None:
    deep = FatFolder(folder.volume, "/updates/run/local-fs.target.d")
    for _ in range(2):
        deep.make()
    put(deep, "liveos-home.conf", b"content")
    path = "::/updates/run/local-fs.target.d/liveos-home.conf"
    assert mtools(folder.volume, "mtype", path) == b"content"
    assert not complaints(folder)


def cut_off_before_the_table(folder: FatFolder, *removal: str) -> None:
    """As a cut leaves it that has written a directory entry, and not the table."""
    path, before = folder.volume.path, folder.volume.path.read_bytes()
    mtools(folder.volume, *removal)
    freed = path.read_bytes()
    with folder._read() as fs:
        tables = slice(OFFSET + fs.geometry.fat_offset, OFFSET + fs.geometry.data_offset)
    root = fs.geometry.root_size  # of FAT16, behind the tables
    tables = slice(tables.start, tables.stop - root)
    path.write_bytes(before[: tables.start] + freed[tables] + before[tables.stop :])


def no_worse_than_lost_clusters(folder: FatFolder) -> bool:
    return not [line for line in complaints(folder) if "share" in line or "Bad" in line]


def test_a_file_with_half_a_chain_is_removed_without_harm(folder: FatFolder) -> None:
    put(folder, "other", noise(5_000))
    put(folder, "half", noise(9_000))
    cut_off_before_the_table(folder, "mdel", "::/LiveOS/half")
    folder.remove("half")
    assert folder.names() == ("other",)
    assert cat(folder, "other") == noise(5_000)
    assert no_worse_than_lost_clusters(folder)
    put(folder, "new", noise(9_000, 2))
    assert cat(folder, "new") == noise(9_000, 2)


def test_a_directory_without_its_cluster_is_no_directory(folder: FatFolder) -> None:
    put(folder, "other", noise(5_000))
    half = FatFolder(folder.volume, "/LiveOS/half")
    half.make()
    cut_off_before_the_table(folder, "mrd", "::/LiveOS/half")
    before = folder.volume.path.read_bytes()
    half.remove_with_files()
    assert not half.is_there()
    folder.volume.path.write_bytes(before)
    half.make()
    put(half, "new", noise(9_000, 2))
    assert mtools(folder.volume, "mtype", "::/LiveOS/half/new") == noise(9_000, 2)
    assert cat(folder, "other") == noise(5_000)
    assert no_worse_than_lost_clusters(folder)
