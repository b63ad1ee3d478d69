# SPDX-License-Identifier: Apache-2.0
"""Several sticks at once: from one reading of the source, and each for itself."""

import errno
import json
import os
from pathlib import Path
from signal import SIGINT, pthread_kill
from threading import Event, get_ident
from unittest.mock import patch

import pytest

from liveos.errors import InterruptedByUserError, NoSpaceError, UsageError
from liveos.host import volume_files
from liveos.host.transfer import PIECE, DurableWriter, Progress
from liveos.operations.execute import execute
from liveos.operations.install.layout import Identities
from liveos.operations.install.shared_source import SharedSource
from liveos.operations.plan import Plan
from liveos.operations.together import execute_all
from liveos.report import NullReporter
from tests.tools.operations.tiny import FILES, MIB, contents, make_plan, run

pytestmark = pytest.mark.tools

ROOT = "/LiveOS/squashfs.img"


@pytest.fixture
def count(iso: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each system call has read of the ISO, through whichever object."""
    counted: list[int] = []
    pread, preadv = os.pread, os.preadv

    def note(descriptor: int, length: int) -> None:
        if name_of(descriptor) == str(iso):
            counted.append(length)

    def counting_pread(descriptor: int, length: int, offset: int) -> bytes:
        data = pread(descriptor, length, offset)
        note(descriptor, len(data))
        return data

    def counting_preadv(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        length = preadv(descriptor, buffers, offset)
        note(descriptor, length)
        return length

    monkeypatch.setattr(os, "pread", counting_pread)
    monkeypatch.setattr(os, "preadv", counting_preadv)
    return counted


def name_of(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def plans(iso: Path, directory: Path, names: str) -> list[Plan]:
    """Sticks of names and identities of their own."""
    return [
        make_plan(iso, directory / f"{name}.img", identities=Identities.random()) for name in names
    ]


def live_of(stick: Path) -> str:
    """The filesystem LIVE as debugfs takes it."""
    table = json.loads(run("sfdisk", "--json", stick))["partitiontable"]
    (start,) = [part["start"] for part in table["partitions"] if part["name"] == "LIVE"]
    return f"{stick}?offset={start * 512}"


def assert_whole(stick: Path) -> None:
    live = live_of(stick)
    assert run("debugfs", "-R", f"cat {ROOT}", live) == contents(ROOT)
    run("e2fsck", "-f", "-n", live)


def nobody_else(number: int) -> list[NullReporter]:
    return [NullReporter()] * number


def test_the_source_is_read_once(iso: Path, tmp_path: Path, count: list[int]) -> None:
    only = plans(iso, tmp_path, "x")
    count.clear()
    execute(only[0])
    alone = sum(count)
    count.clear()
    made = plans(iso, tmp_path, "abc")
    count.clear()
    outcomes = execute_all(made, nobody_else(3))
    assert [each.error for each in outcomes] == [None, None, None]
    # Reading ahead may have begun a piece behind the last one that is wanted, or not yet.
    assert abs(sum(count) - alone) <= PIECE
    # One reading for the check of the whole, and one for what is copied.
    assert FILES[ROOT] < alone <= iso.stat().st_size + sum(FILES.values()) + MIB


def test_each_stick_is_whole_and_has_numbers_of_its_own(iso: Path, tmp_path: Path) -> None:
    outcomes = execute_all(plans(iso, tmp_path, "ab"), nobody_else(2))
    assert [each.error for each in outcomes] == [None, None]
    uuids = set()
    for name in "ab":
        stick = tmp_path / f"{name}.img"
        assert_whole(stick)
        table = json.loads(run("sfdisk", "--json", stick))["partitiontable"]
        uuids |= {table["id"], *(part["uuid"] for part in table["partitions"])}
        uuids.add(run("dumpe2fs", "-h", live_of(stick)).decode().partition("UUID:")[2].split()[0])
        record = json.loads(run("debugfs", "-R", "cat /LiveOS/image.json", live_of(stick)))
        assert len(record["files"]) >= 3
    assert len(uuids) == 2 * 5


class Full(DurableWriter):
    """A stick whose space ends in the middle of the root."""

    def __init__(self, descriptor: int, progress: Progress) -> None:
        super().__init__(descriptor, progress)
        self._fails = name_of(descriptor).endswith("b.img.part")

    def write(self, offset: int, data: bytes | memoryview) -> None:
        if self._fails and self._written >= 3 << 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write(offset, data)


def test_one_that_fails_in_the_middle_leaves_the_others_alone(iso: Path, tmp_path: Path) -> None:
    with patch.object(volume_files, "DurableWriter", Full):
        outcomes = execute_all(plans(iso, tmp_path, "abc"), nobody_else(3))
    assert [type(each.error) for each in outcomes] == [type(None), NoSpaceError, type(None)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.img", "c.img"]
    assert_whole(tmp_path / "a.img")
    assert_whole(tmp_path / "c.img")


def test_the_only_one_left_goes_on_when_all_others_fail(iso: Path, tmp_path: Path) -> None:
    made = plans(iso, tmp_path, "ab")
    with patch.object(volume_files, "DurableWriter", Full):
        outcomes = execute_all(made[::-1], nobody_else(2))
    assert outcomes[0].error is not None
    assert outcomes[1].error is None


def test_nothing_is_begun_when_one_of_them_cannot_be(iso: Path, tmp_path: Path) -> None:
    made = plans(iso, tmp_path, "ab")
    (tmp_path / "b.img").write_bytes(b"new")
    with pytest.raises(Exception, match="has changed since"):
        execute_all(made, nobody_else(2))
    assert [path.name for path in tmp_path.iterdir()] == ["b.img"]


def test_a_target_is_named_once(iso: Path, tmp_path: Path) -> None:
    made = plans(iso, tmp_path, "a")
    with pytest.raises(UsageError, match="twice"):
        execute_all([*made, *made], nobody_else(2))


class Interrupting(NullReporter):
    """Ctrl-C at a step, which goes on when all have been told to end.

    The signal comes to the thread that has the least to do with it, as a system may decide.
    """

    def __init__(self, title: str, monkeypatch: pytest.MonkeyPatch) -> None:
        stop = SharedSource.stop
        self.title = title
        self.told = Event()

        def stop_and_tell(shared: SharedSource) -> None:
            stop(shared)
            self.told.set()

        monkeypatch.setattr(SharedSource, "stop", stop_and_tell)

    def step(self, title: str, number: int, of: int) -> None:
        if title.startswith(self.title):
            pthread_kill(get_ident(), SIGINT)
            assert self.told.wait(60)


class Waiting(NullReporter):
    """Takes no step before somebody else has ended."""

    def __init__(self, other: Interrupting) -> None:
        self.other = other

    def step(self, title: str, number: int, of: int) -> None:
        assert self.other.told.wait(60)


def hint_when_interrupted(
    title: str, iso: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """What is said of two sticks when a signal comes at a step of the first one."""
    made, first = plans(iso, directory, "ab"), Interrupting(title, monkeypatch)
    with pytest.raises(InterruptedByUserError) as caught:
        execute_all(made, [first, Waiting(first)])
    return str(caught.value.hint)


def test_a_signal_ends_all_of_them_and_leaves_nothing(
    iso: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hint = hint_when_interrupted("Copy LIVE", iso, tmp_path, monkeypatch)
    assert hint.count("nothing was left behind") == 2
    assert list(tmp_path.iterdir()) == []


def test_a_signal_that_comes_too_late_for_one(
    iso: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has got its name stays, and is named."""
    hint = hint_when_interrupted("Rename to", iso, tmp_path, monkeypatch)
    assert f"{tmp_path}/a.img is complete" in hint
    assert "nothing was left behind" in hint
    assert [path.name for path in tmp_path.iterdir()] == ["a.img"]
    assert_whole(tmp_path / "a.img")
