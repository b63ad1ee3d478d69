# SPDX-License-Identifier: Apache-2.0
"""Operations in an unmounted ext4 cut off after every write, and torn into sectors.

Whoever recovers the journal, e2fsck or we, finds the old state or the new one, and e2fsck then
finds nothing to mend. With ``--every-cut`` that is every write, and each flush torn in two ways;
without, some of them: see `states`.
"""

import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.ext4_window import window
from tests.sampling import Sampling
from tests.tools.host.power_cuts import SECTOR, Recording, leave, recorded
from tests.tools.host.test_ext4_folder import LAYOUTS, check, debugfs, make, noise, put

pytestmark = pytest.mark.tools

MIB = 1 << 20
Contents = dict[str, bytes]

OLD, NEW = noise(30_000, 1), noise(9_000, 2)
BEFORE: Contents = {"overlay": OLD, "new": NEW, "other": b"other"}


@dataclass(frozen=True)
class Operation:
    """What is done, and what is there afterwards."""

    run: Callable[[Ext4Folder], None]
    after: Contents


OPERATIONS = {
    "replace": Operation(
        lambda folder: folder.replace("new", "overlay"),
        {"overlay": NEW, "other": b"other"},
    ),
    "replace and keep": Operation(
        lambda folder: folder.replace("new", "overlay", "kept"),
        {"overlay": NEW, "kept": OLD, "other": b"other"},
    ),
    "grow": Operation(
        lambda folder: folder.resize("overlay", 300_000),
        {**BEFORE, "overlay": OLD.ljust(300_000, b"\0")},
    ),
    "shrink": Operation(
        lambda folder: folder.resize("overlay", 10_001), {**BEFORE, "overlay": OLD[:10_001]}
    ),
    "publish": Operation(
        lambda folder: folder.publish("new", "it"),
        {"overlay": OLD, "it": NEW, "other": b"other"},
    ),
    "remove": Operation(lambda folder: folder.remove("overlay"), {"new": NEW, "other": b"other"}),
}


def contents(folder: Ext4Folder) -> Contents:
    found = {}
    for name in folder.names():
        with folder.open(name) as file:
            found[name] = file.read_at(0, file.size)
    return found


def recovered_by_e2fsck(folder: Ext4Folder) -> Contents:
    """After nothing but a replay by e2fsck, everything is in order."""
    command = ["e2fsck", "-E", "journal_only", "-y", str(folder.volume)]
    subprocess.run(command, check=False, capture_output=True)
    check(folder.volume)
    return contents(folder)


def recovered_by_us(folder: Ext4Folder) -> Contents:
    """Read with the journal replayed in memory; then replayed on the disk."""
    found = contents(folder)
    with window(folder.volume):
        pass
    check(folder.volume)
    assert contents(folder) == found
    return found


def recoveries(folder: Ext4Folder, states: Iterator[bytes]) -> Iterator[Contents]:
    """What is found in each state, recovered by the one and the other in turn."""
    for number, state in enumerate(states):
        leave(state, folder.volume.path)
        yield (recovered_by_e2fsck, recovered_by_us)[number % 2](folder)


def states(recording: Recording, sampling: Sampling) -> Iterator[bytes]:
    """Prefixes, with the first and the last; and for flushes, sectors that may have arrived."""
    torn = (sampling.of(recording.torn(random.Random(seed)), 3, seed) for seed in (1, 2))
    return chain(sampling.of(recording.prefixes(), 7), *torn)


@pytest.fixture(params=["modern", "old", "small blocks"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Ext4Folder:
    """Three files; what is free holds something that must not be seen."""
    folder = Ext4Folder(make(tmp_path / "stick.img", LAYOUTS[request.param], 16), "/LiveOS")
    put(folder, "filler", b"\xa5" * (8 * MIB))
    folder.remove("filler")
    for name, content in BEFORE.items():
        put(folder, name, content)
    return folder


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_cut_leaves_the_old_or_the_new(
    folder: Ext4Folder, name: str, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    operation = OPERATIONS[name]
    with recorded(folder.volume.path, monkeypatch) as recording:
        operation.run(folder)
    assert contents(folder) == operation.after
    found = list(recoveries(folder, states(recording, sampling)))
    assert found[0] == BEFORE
    assert all(state in (BEFORE, operation.after) for state in found)
    # What had been acknowledged is there.
    assert operation.after in found


def test_a_new_file_is_there_or_not_and_shows_zeros_or_its_own(
    folder: Ext4Folder, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    with recorded(folder.volume.path, monkeypatch) as recording:
        put(folder, "made", OLD)
    assert contents(folder) == {**BEFORE, "made": OLD}
    for found in recoveries(folder, states(recording, sampling)):
        assert mixed(found.pop("made", OLD), bytes(len(OLD)), OLD)
        assert found == BEFORE


@pytest.mark.parametrize("kind", ["preallocated", "sparse"])
def test_a_file_written_in_place_shows_zeros_or_what_was_written(
    folder: Ext4Folder, kind: str, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    size = 200_000
    if kind == "sparse":
        debugfs(folder.volume, "write /dev/null /LiveOS/in", f"sif /LiveOS/in size {size}")
    else:
        with folder.create("in", size):
            pass
    first, second = bytearray(size), bytearray(size)
    first[5_000 : 5_000 + len(NEW)] = NEW
    second[:] = first
    second[9_000 : 9_000 + len(OLD)] = OLD
    with (
        recorded(folder.volume.path, monkeypatch) as recording,
        folder.open("in", writable=True) as file,
    ):
        file.write_at(5_000, NEW)
        file.flush()
        acknowledged = len(recording.events)
        file.write_at(9_000, OLD)
    later = Recording(
        Recording(recording.base, recording.events[:acknowledged]).final(),
        recording.events[acknowledged:],
    )
    for found in recoveries(folder, states(recording, sampling)):
        assert mixed(found.pop("in"), bytes(size), bytes(first), bytes(second))
        assert found == BEFORE
    for found in recoveries(folder, states(later, sampling)):
        assert mixed(found.pop("in"), bytes(first), bytes(second))


def mixed(content: bytes, *versions: bytes) -> bool:
    """Each sector is as in one of the versions."""
    return all(
        any(content[start : start + SECTOR] == v[start : start + SECTOR] for v in versions)
        for start in range(0, len(versions[0]), SECTOR)
    )


def test_a_replay_that_is_cut_off_is_taken_up_again(
    folder: Ext4Folder, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    operation = OPERATIONS["replace"]
    path = folder.volume.path
    with recorded(path, monkeypatch) as recording:
        operation.run(folder)
    replayed = 0
    for state in sampling.of(recording.prefixes(), 5):
        leave(state, path)
        expected = contents(folder)
        with recorded(path, monkeypatch) as replay, window(folder.volume):
            pass
        if not replay.events:
            continue
        replayed += 1
        assert all(found == expected for found in recoveries(folder, states(replay, sampling)))
    assert replayed
