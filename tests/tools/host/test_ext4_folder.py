# SPDX-License-Identifier: Apache-2.0
"""Directories inside an unmounted ext4, as debugfs and e2fsck see them afterwards."""

import random
import re
import subprocess
from pathlib import Path

import pytest

from liveos.errors import NoSpaceError, RefusedError, UnsupportedError
from liveos.formats.binary import FileSource, TruncatedError, Window
from liveos.formats.ext4.reader import Ext4
from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.folder import FolderFile
from liveos.host.folders.unmounted import directories
from liveos.host.volumes import Ext4Volume

pytestmark = pytest.mark.tools

MIB = 1 << 20
OFFSET = 1 * MIB
MODERN = ("-b", "4096", "-O", "metadata_csum,64bit,has_journal,extent")
LAYOUTS = {
    "modern": MODERN,
    "old": ("-b", "4096", "-O", "^metadata_csum,^64bit,uninit_bg,has_journal,extent"),
    "small blocks": ("-b", "1024", "-O", "metadata_csum,has_journal,extent"),
    "no flex_bg, meta_bg": ("-b", "1024", "-O", "^flex_bg,^resize_inode,meta_bg,extent"),
    "lazy": ("-b", "2048", "-O", "uninit_bg,^metadata_csum,extent", "-E", "lazy_itable_init=1"),
}


def make(path: Path, options: tuple[str, ...] = MODERN, mebibytes: int = 32) -> Ext4Volume:
    with path.open("wb") as file:
        file.truncate(OFFSET + mebibytes * MIB)
    journal = () if "^has_journal" in " ".join(options) else ("-J", "size=4")
    options = (*options, *journal, "-E", f"offset={OFFSET},root_owner=0:0")
    size = f"{mebibytes * 1024}k"
    command = ["mke2fs", "-q", "-F", "-t", "ext4", *options, str(path), size]
    subprocess.run(command, check=True, capture_output=True)
    volume = Ext4Volume(path, OFFSET, mebibytes * MIB)
    debugfs(volume, "mkdir /LiveOS")
    return volume


def debugfs(volume: Ext4Volume, *lines: str) -> str:
    script = "".join(f"{line}\n" for line in lines).encode()
    done = subprocess.run(
        ["debugfs", "-w", "-f", "-", str(volume)], input=script, capture_output=True, check=True
    )
    errors = done.stderr.decode().splitlines()[1:]
    assert not errors, errors
    return done.stdout.decode()


def cat(volume: Ext4Volume, path: str) -> bytes:
    done = subprocess.run(
        ["debugfs", "-R", f'cat "{path}"', str(volume)], capture_output=True, check=True
    )
    return done.stdout


def check(volume: Ext4Volume) -> None:
    done = subprocess.run(["e2fsck", "-f", "-n", str(volume)], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


@pytest.fixture(params=LAYOUTS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Ext4Folder:
    return Ext4Folder(make(tmp_path / "stick.img", LAYOUTS[request.param]), "/LiveOS")


def put(folder: Ext4Folder, name: str, content: bytes) -> None:
    with folder.create(name, len(content)) as file:
        file.write_at(0, content)


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def test_a_new_file(folder: Ext4Folder) -> None:
    content = noise(300_001)
    with folder.create("overlay A-B", 300_001) as file:
        assert file.read_at(0, 300_001) == bytes(300_001)
        file.write_at(0, content[:100_000])
        file.write_at(100_000, content[100_000:])
        assert file.read_at(5, 299_000) == content[5:299_005]
    assert cat(folder.volume, "/LiveOS/overlay A-B") == content
    assert folder.names() == ("overlay A-B",)
    check(folder.volume)
    stat = debugfs(folder.volume, 'stat "/LiveOS/overlay A-B"')
    assert re.search(r"(?s)Mode: +0644 .*User: +0 +Group: +0 .*Size: 300001", stat)


def test_a_preallocated_file_is_written_here_and_there(folder: Ext4Folder) -> None:
    """What was not written reads zeros, though its blocks hold an earlier owner's bytes."""
    with folder.volume.path.open("r+b") as file:
        file.seek(OFFSET + 20 * MIB)
        file.write(b"\xa5" * MIB)
    put(folder, "filler", noise(17 * MIB))
    size = 6 * MIB
    expected = bytearray(size)
    with folder.create("overlay", size) as new:
        for position in (3_000_000, 0, 1_234_567, 5_999_000, 3_000_500):
            data = noise(700, position)
            new.write_at(position, data)
            expected[position : position + 700] = data
            assert new.read_at(0, size) == expected
            if position in (0, 5_999_000):
                new.flush()
    assert cat(folder.volume, "/LiveOS/overlay") == expected
    check(folder.volume)


def test_many_small_writes_in_many_flushes(folder: Ext4Folder) -> None:
    """More extents than fit into an inode, made in any order, and grown together again."""
    random_ = random.Random(7)
    size = 4 * MIB
    expected = bytearray(size)
    with folder.create("overlay", size):
        pass
    for _ in range(4):
        with folder.open("overlay", writable=True) as file:
            for _ in range(3):
                for _ in range(60):
                    position = random_.randrange(size - 10_000)
                    data = random_.randbytes(random_.randrange(1, 10_000))
                    file.write_at(position, data)
                    expected[position : position + len(data)] = data
                file.flush()
        assert cat(folder.volume, "/LiveOS/overlay") == expected
        check(folder.volume)


def test_a_file_filled_in_order_stays_in_few_extents(folder: Ext4Folder) -> None:
    with folder.create("overlay", 2 * MIB) as file:
        before = debugfs(folder.volume, "dump_extents /LiveOS/overlay").count("Uninit")
        for position in range(0, MIB, 65_536):
            file.write_at(position, noise(65_536))
            file.flush()
    rows = debugfs(folder.volume, "dump_extents /LiveOS/overlay").splitlines()[2:]
    assert len(rows) <= 2 * before + 1
    check(folder.volume)


def test_holes_get_blocks(folder: Ext4Folder) -> None:
    """A sparse overlay, as cp --sparse and dd seek= make it."""
    size = 24 * MIB
    debugfs(folder.volume, "write /dev/null /LiveOS/overlay")
    debugfs(folder.volume, f"set_inode_field /LiveOS/overlay size {size}")
    expected = bytearray(size)
    with folder.open("overlay", writable=True) as file:
        for position in (23 * MIB + 5, 100, 9 * MIB):
            file.write_at(position, b"x" * 5_000)
            expected[position : position + 5_000] = b"x" * 5_000
            assert file.read_at(0, size) == expected
    assert cat(folder.volume, "/LiveOS/overlay") == expected
    check(folder.volume)


def test_an_existing_file_changes_in_place(folder: Ext4Folder) -> None:
    put(folder, "a", noise(50_000))
    before = debugfs(folder.volume, "stat /LiveOS/a")
    with folder.open("a", writable=True) as file:
        file.write_at(10_000, b"x" * 20_000)
    assert (
        cat(folder.volume, "/LiveOS/a")
        == noise(50_000)[:10_000] + b"x" * 20_000 + (noise(50_000)[30_000:])
    )
    assert debugfs(folder.volume, "stat /LiveOS/a") == before
    with folder.open("a", writable=True) as file:
        for wrong in (lambda: file.write_at(49_999, b"xy"), lambda: file.read_at(49_999, 2)):
            with pytest.raises(TruncatedError):
                wrong()


def test_reading_writes_nothing(folder: Ext4Folder) -> None:
    put(folder, "a", b"abc")
    folder.volume.path.chmod(0o444)
    before = folder.volume.path.read_bytes()
    with folder.open("a") as file:
        assert file.read_at(0, 3) == b"abc"
        with pytest.raises(OSError, match="not opened"):
            file.write_at(0, b"x")
    assert folder.names() == ("a",)
    assert folder.volume.path.read_bytes() == before


def test_a_body_that_fails_leaves_no_file(folder: Ext4Folder) -> None:
    free = folder.free()
    with pytest.raises(TruncatedError), folder.create("a", MIB) as file:
        file.write_at(MIB, b"x")
    assert folder.names() == ()
    assert folder.free() == free
    check(folder.volume)


@pytest.mark.parametrize("keep", [None, "overlay.bak"])
def test_replacing(folder: Ext4Folder, keep: str | None) -> None:
    put(folder, "overlay", b"old")
    debugfs(
        folder.volume,
        "sif /LiveOS/overlay mode 0100600",
        "sif /LiveOS/overlay uid 1000",
        "sif /LiveOS/overlay gid 1001",
    )
    put(folder, "overlay.new", b"new")
    folder.replace("overlay.new", "overlay", keep)
    assert cat(folder.volume, "/LiveOS/overlay") == b"new"
    stat = debugfs(folder.volume, "stat /LiveOS/overlay")
    assert re.search(r"(?s)Mode: +0600 .*User: +1000 +Group: +1001 ", stat)
    assert folder.names() == (("overlay",) if keep is None else ("overlay", keep))
    if keep is not None:
        assert cat(folder.volume, f"/LiveOS/{keep}") == b"old"
    check(folder.volume)


def test_what_is_there_is_never_overwritten(folder: Ext4Folder) -> None:
    for name in ("overlay", "new", "keep"):
        put(folder, name, name.encode())
    with pytest.raises(RefusedError), folder.create("overlay", 1):
        pass
    with pytest.raises(RefusedError):
        folder.replace("new", "overlay", "keep")
    assert [cat(folder.volume, f"/LiveOS/{name}") for name in folder.names()] == [
        b"keep", b"new", b"overlay",
    ]  # fmt: skip


def test_publishing(folder: Ext4Folder) -> None:
    put(folder, "new", noise(300_001))
    put(folder, "there", b"x" * 5)
    with pytest.raises(RefusedError, match="exists"):
        folder.publish("new", "there")
    folder.publish("new", "it")
    assert folder.names() == ("it", "there")
    assert cat(folder.volume, "/LiveOS/it") == noise(300_001)
    check(folder.volume)


def test_resizing(folder: Ext4Folder) -> None:
    content = noise(100_000)
    put(folder, "a", content)
    expected = content
    for size in (1_000_001, 50_001, 60_000, 0, 5_000):
        folder.resize("a", size)
        expected = expected[:size].ljust(size, b"\0")
        assert cat(folder.volume, "/LiveOS/a") == expected
        check(folder.volume)


def test_what_a_file_ended_in_does_not_come_back(folder: Ext4Folder) -> None:
    put(folder, "a", b"x" * 5_000)
    folder.resize("a", 4_500)
    folder.resize("a", 8_000)
    assert cat(folder.volume, "/LiveOS/a") == b"x" * 4_500 + bytes(3_500)


def test_removing_gives_the_space_back(folder: Ext4Folder) -> None:
    free = folder.free()
    put(folder, "a", noise(3 * MIB))
    assert folder.free() < free - 2 * MIB
    folder.remove("a")
    assert folder.free() == free
    check(folder.volume)


def test_no_space_changes_nothing(folder: Ext4Folder) -> None:
    put(folder, "a", b"abc")
    before = folder.volume.path.read_bytes()
    with pytest.raises(NoSpaceError), folder.create("b", 40 * MIB):
        pass
    with pytest.raises(NoSpaceError):
        folder.resize("a", 40 * MIB)
    assert folder.volume.path.read_bytes() == before


def test_links_directories_and_nothing_are_refused(folder: Ext4Folder) -> None:
    put(folder, "a", b"abc")
    debugfs(folder.volume, "mkdir /LiveOS/d", "symlink /LiveOS/l a")
    for name in ("d", "l"):
        with pytest.raises(RefusedError), folder.open(name, writable=True):
            pass
        with pytest.raises(RefusedError):
            folder.remove(name)
    assert folder.names() == ("a",)
    with pytest.raises(FileNotFoundError), folder.open("nothing"):
        pass
    with pytest.raises(FileNotFoundError):
        Ext4Folder(folder.volume, "/nowhere").names()
    with pytest.raises(RefusedError), folder.open("../LiveOS/a"):
        pass


def test_names_of_every_kind(folder: Ext4Folder) -> None:
    for name in ("with space", 'with "quotes"', "Grüße", "back\\slash", "<12>", "a" * 255):
        put(folder, name, name.encode())
        with folder.open(name) as file:
            assert file.read_at(0, file.size) == name.encode()
        folder.resize(name, 3)
        folder.remove(name)
    assert folder.names() == ()
    check(folder.volume)


def test_a_directory_without_room_for_a_name(folder: Ext4Folder) -> None:
    """More names than a block holds; with an index where the filesystem has them."""
    for number in range(18):
        put(folder, f"{number:03}" + "n" * 220, b"x")
    put(folder, "overlay", b"old")
    put(folder, "new", b"new")
    folder.replace("new", "overlay", "k" * 255)
    assert cat(folder.volume, "/LiveOS/overlay") == b"new"
    assert cat(folder.volume, "/LiveOS/" + "k" * 255) == b"old"
    check(folder.volume)


def test_nothing_outside_the_volume_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "stick.img"
    folder = Ext4Folder(make(path), "/")
    with path.open("r+b") as file:
        file.write(b"\xa5" * OFFSET)
        file.seek(OFFSET + folder.volume.size)
        file.write(b"\xa5" * MIB)
    put(folder, "a", noise(20 * MIB))
    folder.resize("a", 3)
    disk = path.read_bytes()
    assert disk[:OFFSET] == b"\xa5" * OFFSET
    assert disk[-MIB:] == b"\xa5" * MIB
    assert str(FolderFile(folder, "a")) == f"{path}:/a"


@pytest.mark.parametrize(
    ("option", "why"),
    [("^has_journal", "no journal"), ("bigalloc", "bigalloc"), ("quota", "quota")],
)
def test_what_cannot_be_kept_up_is_not_changed(tmp_path: Path, option: str, why: str) -> None:
    volume = make(tmp_path / "stick.img", ("-b", "4096", "-O", f"extent,{option}"))
    before = volume.path.read_bytes()
    with pytest.raises(UnsupportedError, match=why), Ext4Folder(volume, "/LiveOS").create("a", 1):
        pass
    assert volume.path.read_bytes() == before


def test_a_filesystem_with_errors_must_be_checked_first(folder: Ext4Folder) -> None:
    debugfs(folder.volume, "ssv state 2")
    with pytest.raises(RefusedError, match="checked first"), folder.create("a", 1):
        pass


def test_the_whole_stick_is_held(folder: Ext4Folder) -> None:
    with folder.hold("a"), pytest.raises(RefusedError), folder.hold("b"):
        pass


def test_directories_are_found_without_following_links(folder: Ext4Folder) -> None:
    debugfs(folder.volume, "mkdir /LiveOS/d", "symlink /LiveOS/l d", "write /dev/null /LiveOS/f")
    with FileSource(folder.volume.path) as source:
        fs = Ext4(Window(source, OFFSET, folder.volume.size))
        nodes = directories(fs, "/LiveOS/d/")
        assert [node.path for node in nodes] == ["/", "/LiveOS", "/LiveOS/d"]
        for path in ("/LiveOS/l", "/LiveOS/f", "/nowhere/d"):
            with pytest.raises(FileNotFoundError):
                directories(fs, path)


def test_directories_are_made_where_they_are_missing(folder: Ext4Folder) -> None:
    deep = Ext4Folder(folder.volume, '/updates/run/a "b" c')
    for _ in range(2):
        deep.make()
        check(folder.volume)
    put(deep, "new", b"content")
    assert cat(folder.volume, '/updates/run/a ""b"" c/new') == b"content"
    for path in ("/", "/updates"):
        assert "/040755/0/0/" in debugfs(folder.volume, f"ls -p {path}")
    check(folder.volume)
