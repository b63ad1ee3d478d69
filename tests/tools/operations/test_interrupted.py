# SPDX-License-Identifier: Apache-2.0
"""An installation that is ended at its steps: by a signal, by SIGKILL, by a full disk.

With ``--every-cut`` at each of them; without at some, the first and the last among them, and each
signal at others.
"""

import errno
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest

from liveos.errors import (
    ExitStatus,
    LiveosError,
    NoSpaceError,
    ProblemsFoundError,
    RefusedError,
    ToolMissingError,
    UnsupportedError,
)
from liveos.host.target import UNFINISHED_NOTICE
from liveos.host.volumes import Ext4Volume
from liveos.operations.execute import execute
from liveos.operations.plan import Plan
from liveos.operations.steps.stick import Copy
from liveos.report import NullReporter
from tests.sampling import Sampling
from tests.tools.operations.tiny import MIB, SIZE, make_plan, run

pytestmark = pytest.mark.tools

STEPS = 9  # at which it is ended in one test


class Ending(NullReporter):
    """Sends a signal to its own process when a step begins."""

    def __init__(self, at: int, number: signal.Signals) -> None:
        self.at = at
        self.number = number

    def step(self, title: str, number: int, of: int) -> None:
        if number == self.at:
            os.kill(os.getpid(), self.number)


def install_and_end(made: Plan, ending: Ending) -> tuple[int, str]:
    """Exit status of a process of its own, negative for a signal, and what the error said."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        status, said = 99, ""
        with suppress(BaseException):
            try:
                execute(made, ending)
                status = 0
            except LiveosError as error:
                status, said = error.status, f"{error.message} | {error.hint}"
        os.write(writer, said.encode())
        os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read().decode()
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), text


def is_marked(disk: Path) -> bool:
    """The boot code is the notice, so no BIOS starts it and everybody can see why."""
    with disk.open("rb") as file:
        return file.read(len(UNFINISHED_NOTICE)) == UNFINISHED_NOTICE


def listing_of_esp(disk: Path, directory: str) -> str:
    command = ["mdir", "-i", f"{disk}@@8M", "-b", f"::{directory}"]
    return subprocess.run(command, capture_output=True, check=False).stdout.decode()


def starts_on_efi(disk: Path) -> bool:
    return "BOOTX64.EFI" in listing_of_esp(disk, "/EFI/BOOT")


def has_mark_on_esp(disk: Path) -> bool:
    return "LIVEOS-UNFINISHED" in listing_of_esp(disk, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_step_leaves_nothing_behind(
    iso: Path, tmp_path: Path, number: signal.Signals, sampling: Sampling
) -> None:
    made = make_plan(iso, tmp_path / "stick.img")
    for step in sampling.of(range(1, len(made.steps) + 1), STEPS, seed=number):
        status, said = install_and_end(made, Ending(step, number))
        assert status == ExitStatus.INTERRUPTED, said
        assert "nothing was left behind" in said
        assert list(tmp_path.iterdir()) == []


def test_after_sigkill_at_any_step_the_next_run_replaces_what_was_left(
    iso: Path, tmp_path: Path, sampling: Sampling
) -> None:
    target = tmp_path / "stick.img"
    part = tmp_path / "stick.img.part"
    steps = len(make_plan(iso, target).steps)
    for step in sampling.of(range(1, steps), STEPS):
        status, _ = install_and_end(make_plan(iso, target), Ending(step, signal.SIGKILL))
        assert status == -signal.SIGKILL
        assert not target.exists()
        assert not part.exists() or is_marked(part)
    execute(make_plan(iso, target))
    assert [path.name for path in tmp_path.iterdir()] == ["stick.img"]
    assert not is_marked(target)


def test_a_finished_stick_without_its_name_is_not_thrown_away(iso: Path, tmp_path: Path) -> None:
    target = tmp_path / "stick.img"
    made = make_plan(iso, target)
    install_and_end(made, Ending(len(made.steps), signal.SIGKILL))
    with pytest.raises(RefusedError, match="in the way") as caught:
        make_plan(iso, target)
    assert "rename it to stick.img" in str(caught.value.hint)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_disk_written_in_place_is_untouched_or_marked(
    iso: Path, tmp_path: Path, number: signal.Signals, sampling: Sampling
) -> None:
    target = tmp_path / "disk.img"
    execute(make_plan(iso, target))
    before = target.read_bytes()
    steps = len(make_plan(iso, target, size=None, erase=True).steps)
    for step in sampling.of(range(1, steps + 1), STEPS, seed=number):
        made = make_plan(iso, target, size=None, erase=True)
        status, said = install_and_end(made, Ending(step, number))
        assert status == (-number if number == signal.SIGKILL else ExitStatus.INTERRUPTED), said
        if step <= 2:
            assert target.read_bytes() == before
        else:
            assert is_marked(target)
            assert number == signal.SIGKILL or "install on it again" in said
        if 2 < step < steps - 2:
            assert not starts_on_efi(target) or has_mark_on_esp(target)


def test_a_file_in_the_way_that_is_not_ours_is_kept(iso: Path, tmp_path: Path) -> None:
    part = tmp_path / "stick.img.part"
    part.write_bytes(b"precious")
    with pytest.raises(RefusedError, match="in the way"):
        make_plan(iso, tmp_path / "stick.img")
    assert part.read_bytes() == b"precious"


def test_a_part_that_appears_after_planning_is_kept(iso: Path, tmp_path: Path) -> None:
    made = make_plan(iso, tmp_path / "stick.img")
    part = tmp_path / "stick.img.part"
    part.write_bytes(b"precious")
    with pytest.raises(RefusedError, match="changed since"):
        execute(made)
    assert part.read_bytes() == b"precious"


def test_a_target_that_changed_after_planning_is_kept(iso: Path, tmp_path: Path) -> None:
    target = tmp_path / "stick.img"
    made = make_plan(iso, target)
    target.write_bytes(b"precious")
    with pytest.raises(RefusedError, match="changed since"):
        execute(made)
    assert target.read_bytes() == b"precious"


@pytest.fixture
def damaged(iso: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ISO with one bit that has changed."""
    path = tmp_path_factory.mktemp("damaged") / "damaged.iso"
    data = bytearray(iso.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return path


def test_a_damaged_source_leaves_no_file(damaged: Path, tmp_path: Path) -> None:
    target = tmp_path / "stick.img"
    with pytest.raises(ProblemsFoundError, match="is damaged") as caught:
        execute(make_plan(damaged, target))
    assert "--no-verify" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []
    execute(make_plan(damaged, target, verify=False))
    assert target.exists()


def test_a_damaged_source_leaves_a_disk_as_it_was(damaged: Path, tmp_path: Path) -> None:
    target = tmp_path / "disk.img"
    target.write_bytes(b"precious" * (SIZE // 8))
    with pytest.raises(ProblemsFoundError, match="is damaged") as caught:
        execute(make_plan(damaged, target, size=None, erase=True))
    assert "is as it was" in str(caught.value.hint)
    assert target.read_bytes() == b"precious" * (SIZE // 8)


def test_a_damaged_source_leaves_the_file_that_was_to_be_replaced(
    damaged: Path, tmp_path: Path
) -> None:
    target = tmp_path / "stick.img"
    target.write_bytes(b"precious")
    with pytest.raises(ProblemsFoundError, match="is damaged"):
        execute(make_plan(damaged, target, erase=True))
    assert target.read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["stick.img"]


def test_a_source_that_became_shorter_leaves_nothing(iso: Path, tmp_path: Path) -> None:
    source = tmp_path / "short.iso"
    source.write_bytes(iso.read_bytes())
    made = make_plan(source, tmp_path / "stick.img", verify=False)
    os.truncate(source, 5 * MIB)
    with pytest.raises(UnsupportedError):
        execute(made)
    assert [path.name for path in tmp_path.iterdir()] == ["short.iso"]


FULL = """
set -e
mount -t tmpfs -o size=16m none "$1"
exec "$2" -c "$3" "$4" "$1/stick.img"
"""
INSTALL_ON_FULL = """
import sys
from pathlib import Path
from liveos.errors import LiveosError
from liveos.operations.execute import execute
from tests.sampling import Sampling
from tests.tools.operations.tiny import make_plan

iso, target = map(Path, sys.argv[1:])
try:
    execute(make_plan(iso, target))
except LiveosError as error:
    print(error.message, "|", error.hint, "|", [path.name for path in target.parent.iterdir()])
    sys.exit(error.status)
"""


def test_a_host_without_space_is_found_while_writing(iso: Path, tmp_path: Path) -> None:
    """A filesystem of 16 MiB, in a user namespace: the image fits, the kernel does not."""
    arguments = [str(tmp_path), sys.executable, INSTALL_ON_FULL, str(iso)]
    words = ["unshare", "-Urm", "sh", "-c", FULL, "sh", *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr.strip()}")
    assert done.returncode == ExitStatus.NO_SPACE, (done.stdout, done.stderr)
    assert "nothing was left behind | []" in done.stdout


@pytest.mark.parametrize("nth", range(6))
def test_no_space_at_any_write_leaves_nothing(iso: Path, tmp_path: Path, nth: int) -> None:
    made = make_plan(iso, tmp_path / "stick.img")
    count = 0
    write = os.pwrite

    def failing(descriptor: int, data: bytes, offset: int) -> int:
        nonlocal count
        count += 1
        if count > nth:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data, offset)

    with patch("os.pwrite", failing), pytest.raises(NoSpaceError, match="no space is left"):
        execute(made)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["sfdisk", "mkfs.fat", "mke2fs", "mtools", "debugfs", "e2fsck"])
def test_a_missing_program_is_found_before_anything_is_written(
    iso: Path, tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_plan(iso, tmp_path / "stick.img")
    bin_directory = tmp_path / "bin"
    bin_directory.mkdir()
    for tool in made.needs:
        for program in tool.programs:
            found = subprocess.run(["which", program], capture_output=True, text=True, check=False)
            if found.returncode == 0 and program != missing:
                (bin_directory / program).symlink_to(found.stdout.strip())
    monkeypatch.setattr("liveos.host.run._SEARCH_PATH", str(bin_directory))
    with pytest.raises(ToolMissingError, match=f"{missing} is not installed") as caught:
        execute(made)
    assert "apt install" in str(caught.value.hint)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin"]


def test_missing_modules_of_grub_are_found_before_anything_is_written(
    iso: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "boot.img"
    monkeypatch.setattr("liveos.host.grub.BOOT_IMAGE", missing)
    with pytest.raises(ToolMissingError, match=r"boot\.img is not installed") as caught:
        execute(make_plan(iso, tmp_path / "stick.img"))
    assert "grub-pc-bin" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_do_not_stay_are_noticed(
    iso: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stick that forgets: the root image changes on the disk before it is read back."""
    target = tmp_path / "stick.img"
    made = make_plan(iso, target)

    class Forgetful(NullReporter):
        def step(self, title: str, number: int, of: int) -> None:
            if title.startswith("Read back"):
                forget(made)

    with pytest.raises(ProblemsFoundError, match=r"squashfs\.img was read back"):
        execute(made, Forgetful())
    assert list(tmp_path.iterdir()) == []


def forget(made: Plan) -> None:
    """Zero one sector of the root image, where debugfs says that it lies."""
    copied = next(step for step in made.steps if isinstance(step, Copy))
    volume = copied.place.volume
    assert isinstance(volume, Ext4Volume)
    block = run("debugfs", "-R", f"bmap {copied.place.path} 100", str(volume))
    with volume.path.open("r+b") as file:
        file.seek(volume.offset + int(block) * 4096)
        file.write(bytes(512))
