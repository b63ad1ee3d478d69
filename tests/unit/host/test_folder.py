# SPDX-License-Identifier: Apache-2.0
"""Files in directories of this machine: made whole or not at all, and exchanged at once."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from liveos.errors import NoSpaceError, RefusedError
from liveos.formats.binary import TruncatedError
from liveos.host.folders.folder import Folder, FolderFile, HostFolder


@pytest.fixture
def folder(tmp_path: Path) -> HostFolder:
    return HostFolder(tmp_path)


class BoomError(Exception):
    """Something that ends a body early."""


def test_a_new_file_reads_zeros_and_keeps_what_was_written(folder: HostFolder) -> None:
    with folder.create("a", 10_000) as file:
        assert file.size == 10_000
        assert file.read_at(0, 10_000) == bytes(10_000)
        file.write_at(9_990, b"0123456789")
        file.flush()
    data = (folder.directory / "a").read_bytes()
    assert data == bytes(9_990) + b"0123456789"


def test_a_new_file_is_for_its_owner_alone(folder: HostFolder) -> None:
    with folder.create("a", 1):
        pass
    assert stat.S_IMODE((folder.directory / "a").stat().st_mode) == 0o600


def test_a_body_that_fails_leaves_no_file(folder: HostFolder) -> None:
    with pytest.raises(BoomError), folder.create("a", 10):
        raise BoomError
    assert folder.names() == ()


def test_what_exists_is_not_overwritten(folder: HostFolder) -> None:
    (folder.directory / "a").write_bytes(b"mine")
    with pytest.raises(RefusedError), folder.create("a", 10):
        pass
    assert (folder.directory / "a").read_bytes() == b"mine"


def test_no_space_is_said_before_anything_is_made(folder: HostFolder) -> None:
    with pytest.raises(NoSpaceError), folder.create("a", folder.free() + (1 << 40)):
        pass
    assert folder.names() == ()
    with folder.create("a", folder.free() + (1 << 30), room=1 << 20) as file:
        assert file.size > folder.free()


def test_existing_files_are_changed_in_place(folder: HostFolder) -> None:
    (folder.directory / "a").write_bytes(b"0123456789")
    inode = (folder.directory / "a").stat().st_ino
    with folder.open("a", writable=True) as file:
        file.write_at(3, b"xyz")
        assert file.read_at(2, 5) == b"2xyz6"
    assert (folder.directory / "a").read_bytes() == b"012xyz6789"
    assert (folder.directory / "a").stat().st_ino == inode


def test_nothing_beyond_the_end_is_read_or_written(folder: HostFolder) -> None:
    (folder.directory / "a").write_bytes(b"0123")
    with folder.open("a", writable=True) as file:
        for wrong in (lambda: file.write_at(3, b"xy"), lambda: file.read_at(3, 2)):
            with pytest.raises(TruncatedError):
                wrong()
    assert (folder.directory / "a").read_bytes() == b"0123"


def test_a_file_opened_for_reading_cannot_be_written(folder: HostFolder) -> None:
    (folder.directory / "a").write_bytes(b"0123")
    with folder.open("a") as file, pytest.raises(OSError, match="descriptor"):
        file.write_at(0, b"x")


@pytest.mark.parametrize("keep", [None, "old.bak"])
def test_replacing(folder: HostFolder, keep: str | None) -> None:
    old = folder.directory / "old"
    old.write_bytes(b"old")
    old.chmod(0o640)
    with folder.create("new", 3) as file:
        file.write_at(0, b"new")
    folder.replace("new", "old", keep)
    assert old.read_bytes() == b"new"
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert folder.names() == (("old",) if keep is None else ("old", "old.bak"))
    if keep is not None:
        assert (folder.directory / keep).read_bytes() == b"old"


def test_replacing_never_overwrites_a_backup(folder: HostFolder) -> None:
    for name in ("old", "new", "keep"):
        (folder.directory / name).write_text(name)
    with pytest.raises(RefusedError):
        folder.replace("new", "old", "keep")
    assert {name: (folder.directory / name).read_text() for name in folder.names()} == {
        name: name for name in ("old", "new", "keep")
    }


def test_without_hard_links_the_old_file_is_moved_aside(
    folder: HostFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")  # as vfat does

    for name in ("old", "new"):
        (folder.directory / name).write_text(name)
    monkeypatch.setattr(os, "link", refuse)
    folder.replace("new", "old", "keep")
    assert (folder.directory / "old").read_text() == "new"
    assert (folder.directory / "keep").read_text() == "old"


def test_names_change_after_contents_are_durable(
    folder: HostFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order that POSIX needs: contents, then names, each durable before the next."""
    calls: list[str] = []

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - any system call
            what = name
            if name == "fsync":
                is_directory = stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
                what = "fsync directory" if is_directory else "fsync file"
            calls.append(what)
            return real(*arguments, **options)

        return call

    (folder.directory / "old").write_text("old")
    for name in ("fsync", "rename", "pwrite", "link"):
        monkeypatch.setattr(os, name, watched(name, getattr(os, name)))
    with folder.create("new", 3) as file:
        file.write_at(0, b"new")
    folder.replace("new", "old", "keep")
    assert calls == [
        "pwrite", "fsync file", "fsync directory",
        "fsync file", "link", "fsync directory", "rename", "fsync directory",
    ]  # fmt: skip


def test_publishing(folder: HostFolder) -> None:
    (folder.directory / "new").write_bytes(b"whole")
    (folder.directory / "there").write_bytes(b"x")
    with pytest.raises(RefusedError, match="exists"):
        folder.publish("new", "there")
    folder.publish("new", "it")
    assert folder.names() == ("it", "there")
    assert (folder.directory / "it").read_bytes() == b"whole"


def test_resizing(folder: HostFolder) -> None:
    (folder.directory / "a").write_bytes(b"x" * 5_000)
    folder.resize("a", 1 << 20)
    folder.resize("a", 3_000)
    folder.resize("a", 6_000)
    assert (folder.directory / "a").read_bytes() == b"x" * 3_000 + bytes(3_000)
    with pytest.raises(NoSpaceError):
        folder.resize("a", folder.free() + (1 << 40))


def allocated(path: Path) -> int:
    return path.stat().st_blocks * 512


@pytest.fixture
def whole(folder: HostFolder) -> Path:
    """A file that was preallocated, as that of an overlay is."""
    path = folder.directory / "whole"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 1 << 20)
    return path


def test_a_file_without_holes_grows_without(folder: HostFolder, whole: Path) -> None:
    folder.resize("whole", 3 << 20)
    assert (whole.stat().st_size, allocated(whole)) == (3 << 20, 3 << 20)
    folder.resize("whole", 1 << 19)
    assert (whole.stat().st_size, allocated(whole)) == (1 << 19, 1 << 19)


def test_a_file_with_holes_grows_by_holes(folder: HostFolder) -> None:
    with folder.create("sparse", 1 << 20):
        pass
    folder.resize("sparse", 3 << 20)
    assert allocated(folder.directory / "sparse") < 1 << 20


def test_what_takes_the_place_of_a_file_without_holes_has_none(
    folder: HostFolder, whole: Path
) -> None:
    with folder.create("new", 2 << 20) as file:
        file.write_at(4096, b"new")
    folder.replace("new", "whole")
    assert allocated(whole) == 2 << 20
    assert whole.read_bytes()[4096:4099] == b"new"


@pytest.mark.parametrize("action", ["resize", "replace"])
def test_without_room_for_all_blocks(
    folder: HostFolder, whole: Path, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What grows stays as it was; what takes another's place does so with its holes."""
    with folder.create("new", 2 << 20):
        pass

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    if action == "resize":
        with pytest.raises(NoSpaceError):
            folder.resize("whole", 3 << 20)
        assert (whole.stat().st_size, allocated(whole)) == (1 << 20, 1 << 20)
    else:
        folder.replace("new", "whole")
        assert (whole.stat().st_size, allocated(whole)) == (2 << 20, 0)


def test_removing_and_listing(folder: HostFolder) -> None:
    for name in ("b", "a"):
        (folder.directory / name).touch()
    (folder.directory / "directory").mkdir()
    (folder.directory / "link").symlink_to("a")
    assert folder.names() == ("a", "b")
    folder.remove("a")
    assert folder.names() == ("b",)
    with pytest.raises(FileNotFoundError):
        folder.remove("a")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", "a\0b"])
def test_names_do_not_lead_elsewhere(folder: HostFolder, name: str) -> None:
    (folder.directory / "a").touch()
    for action in (folder.remove, lambda n: folder.resize(n, 0), lambda n: folder.replace(n, "a")):
        with pytest.raises(RefusedError):
            action(name)
    with pytest.raises(RefusedError), folder.open(name):
        pass
    with pytest.raises(RefusedError), folder.create(name, 1):
        pass


def test_links_and_pipes_are_refused(folder: HostFolder) -> None:
    (folder.directory / "a").write_bytes(b"a")
    (folder.directory / "link").symlink_to("a")
    os.mkfifo(folder.directory / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(RefusedError), folder.open(name, writable=True):
            pass
        with pytest.raises(RefusedError):
            folder.resize(name, 0)
    with pytest.raises(FileNotFoundError), folder.open("nothing"):
        pass


def test_places_are_values_with_a_name_for_people(folder: HostFolder) -> None:
    some: Folder = folder
    place = FolderFile(some, "overlay")
    assert place == FolderFile(HostFolder(folder.directory), "overlay")
    assert str(place) == f"{folder.directory}/overlay"
    assert str(place.beside(".bak")) == f"{folder.directory}/overlay.bak"
    assert str(FolderFile(HostFolder(Path("/")), "overlay")) == "/overlay"
