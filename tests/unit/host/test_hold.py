# SPDX-License-Identifier: Apache-2.0
"""Files kept for oneself: against ourselves, against other programs, against what is attached."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from liveos.errors import RefusedError
from liveos.host import use
from liveos.host.folders.folder import HostFolder
from liveos.host.hold import hold


@pytest.fixture
def folder(tmp_path: Path) -> HostFolder:
    return HostFolder(tmp_path)


def test_only_one_may_hold_a_file(folder: HostFolder) -> None:
    (folder.directory / "a").write_bytes(b"a")
    with folder.hold("a"):
        with pytest.raises(RefusedError, match="in use"), folder.hold("a"):
            pass
        # Reading goes on.
        with folder.open("a") as file:
            assert file.read_at(0, 1) == b"a"
    with folder.hold("a"):
        pass


def test_the_lock_of_another_program_is_respected(folder: HostFolder) -> None:
    path = folder.directory / "a"
    path.write_bytes(b"a")
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(RefusedError), folder.hold("a"):
            pass
    code = "import fcntl,sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    with folder.hold("a"):
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=False)
        assert b"BlockingIOError" in done.stderr


def test_a_file_that_took_another_ones_place_is_not_held(
    folder: HostFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking, somebody else's `replace` may have ended."""
    path = folder.directory / "a"
    for name in ("a", "b"):
        (folder.directory / name).write_text(name)
    real = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        (folder.directory / "b").rename(path)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(RefusedError, match="place"), folder.hold("a"):
        pass


def test_a_file_behind_a_loop_device_is_not_held(
    folder: HostFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.directory / "a").write_bytes(b"a")
    monkeypatch.setattr(use, "_loop_devices_of", lambda _: iter(["it is attached to /dev/loop7"]))
    with pytest.raises(RefusedError, match="loop7"), folder.hold("a"):
        pass


def test_a_link_and_the_file_it_leads_to_are_one(tmp_path: Path) -> None:
    (tmp_path / "stick.img").write_bytes(b"a")
    (tmp_path / "link").symlink_to("stick.img")
    with (
        hold(tmp_path / "link"),
        pytest.raises(RefusedError, match="in use"),
        hold(tmp_path / "stick.img"),
    ):
        pass
    with pytest.raises(FileNotFoundError), hold(tmp_path / "nothing"):
        pass
