# SPDX-License-Identifier: Apache-2.0
"""Steps for homes, where no other program is needed."""

import fcntl
from contextlib import nullcontext
from pathlib import Path
from uuid import UUID

import pytest

from liveos.errors import RefusedError, UsageError
from liveos.formats.binary import MemorySource
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.host.memory_file import memory_file
from liveos.operations.home import filesystem
from liveos.operations.home.perform import create, remove
from liveos.operations.home.perform.step import perform_home_step
from liveos.operations.steps.home import CreateHome, Encryption, RemoveHome
from liveos.report import NullReporter
from tests.unit.medium.payloads import BARE_EXT4

UUID_1 = UUID("6c697665-6f73-4000-8000-000000000001")


@pytest.fixture
def place(tmp_path: Path) -> FolderFile:
    return FolderFile(HostFolder(tmp_path), "home.img")


def test_removing(place: FolderFile, tmp_path: Path) -> None:
    (tmp_path / "home.img").write_bytes(b"x")
    perform_home_step(RemoveHome(place), NullReporter())
    assert not list(tmp_path.iterdir())


def test_a_home_in_use_is_not_removed(place: FolderFile, tmp_path: Path) -> None:
    with (tmp_path / "home.img").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(RefusedError, match="in use"):
            remove.remove_home(RemoveHome(place))
    assert (tmp_path / "home.img").exists()


class Sink:
    """Keeps what is written."""

    def __init__(self, size: int) -> None:
        self.data = bytearray(size)
        self.count = 0

    def write_at(self, offset: int, data: bytes) -> None:
        self.data[offset : offset + len(data)] = data
        self.count += len(data)

    def flush(self) -> None:
        pass


def test_what_a_filesystem_uses_is_written() -> None:
    """Of this one everything but its free blocks, which are zeros in the original."""
    seen: list[tuple[int, int]] = []
    plain, all_of_it = Sink(len(BARE_EXT4)), Sink(len(BARE_EXT4))
    with memory_file("home", BARE_EXT4) as file:
        filesystem.copy_used(file, plain, lambda *done: seen.append(done), zeros=False)
        filesystem.copy_used(file, all_of_it, lambda *_: None, zeros=True)
    assert plain.data == all_of_it.data
    assert MemorySource(bytes(plain.data)).read_at(1024, 1024) == BARE_EXT4[1024:2048]
    assert seen[-1][0] == seen[-1][1] == all_of_it.count


def test_without_a_key_nothing_is_left(
    place: FolderFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run's plan has no key; were it carried out, it would say so."""
    with memory_file("home", BARE_EXT4) as file:
        monkeypatch.setattr(create, "new_filesystem", _made(file))
        step = CreateHome(
            "x", place, 32 << 20, UUID_1, "", Encryption(UUID_1), user=None, targeted=False
        )
        with pytest.raises(UsageError, match="needs a key"):
            create.create_home(step, NullReporter())
    assert not list(tmp_path.iterdir())


def test_what_appeared_meanwhile_is_not_overwritten(
    place: FolderFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home.img").write_bytes(b"somebody's")
    with memory_file("home", BARE_EXT4) as file:
        monkeypatch.setattr(create, "new_filesystem", _made(file))
        step = CreateHome("x", place, 1 << 20, UUID_1, "", None, user=None, targeted=False)
        with pytest.raises(RefusedError, match="exists"):
            create.create_home(step, NullReporter())
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"somebody's"]


def _made(file: object) -> object:
    return lambda *_, **__: nullcontext(file)
