# SPDX-License-Identifier: Apache-2.0
"""``overlay convert``, both ways and round, on sticks that other programs made and read."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.formats.binary import FileSource
from liveos.formats.ext4.reader import Ext4
from liveos.formats.tree import FileTree
from liveos.host.folders import fat_folder
from liveos.medium.menus import grub
from liveos.medium.model import Firmware
from liveos.medium.overlay.changes.report import layers_of
from liveos.medium.overlay.locate import open_overlay
from tests.tools.host.power_cuts import Recording, recorded_with_programs
from tests.tools.operations.overlay import lived_in
from tests.tools.operations.overlay.lived_in import OVERLAY, LivedIn, facts_of
from tests.tools.operations.overlay.sticks import MIB, NAME, Stick
from tests.tools.operations.overlay.stores import run

pytestmark = pytest.mark.tools

WORD = "rd.live.overlay.overlayfs=1"


def convert(stick: Stick, to: str, *words: str) -> int:
    return main(["overlay", "convert", str(stick.path), "--to", to, "--yes", *words])


@contextmanager
def files_of(image: Path) -> Iterator[FileTree]:
    with FileSource(image) as source:
        yield Ext4(source)


@contextmanager
def shown(stick: Stick, scratch: Path) -> Iterator[FileTree]:
    """What the system would see of an overlay; of a snapshot, what e2fsck calls clean."""
    with open_overlay(str(stick.path)) as overlay:
        if overlay.kind != "snapshot":
            yield layers_of(overlay)
            return
    merged = scratch / "merged.img"
    words = ["overlay", "merge", str(stick.path), "-o", str(merged), "--force", "--yes"]
    assert main(words) == ExitStatus.DONE
    run("e2fsck", "-fn", merged)
    with files_of(merged) as tree:
        yield tree


def assert_kept(case: LivedIn, scratch: Path) -> None:
    with files_of(case.view) as wanted, shown(case.stick, scratch) as found:
        (facts, groups), (expected, expected_groups) = facts_of(found), facts_of(wanted)
    assert facts.keys() == expected.keys()
    assert {
        path: (facts[path], expected[path]) for path in facts if facts[path] != expected[path]
    } == {}
    assert groups == expected_groups


def assert_sound(stick: Stick, kind: str) -> None:
    stick.check()
    assert stick.esp_faults() == []
    expected = {"squashfs.img", "image.json", OVERLAY} | (
        {"ovlwork"} if kind == "directory" else set()
    )
    assert stick.names() == expected
    overlay = stick.record()["overlay"]
    assert isinstance(overlay, dict)
    assert overlay["kind"] == kind
    start, *_ = grub.parse(stick.menu(), "/menu.cfg", firmware=Firmware.UEFI).entries
    assert start.option("rd.live.overlay") == f"UUID={stick.uuid}:/{NAME}/{OVERLAY}"
    # boot-contract.md rule 5: never beside a snapshot.
    assert (WORD in start.options) == (kind != "snapshot")


@pytest.mark.parametrize("kind", ["directory", "image"])
def test_there_and_back(kind: str, tmp_path: Path) -> None:
    case = lived_in.make(tmp_path)
    before = len(_store_data(case.stick))
    assert_kept(case, tmp_path)
    size = [] if kind == "directory" else ["--size", "16M"]
    assert convert(case.stick, kind, *size) == ExitStatus.DONE
    assert_sound(case.stick, kind)
    assert_kept(case, tmp_path)
    assert convert(case.stick, "snapshot", "--size", "16M") == ExitStatus.DONE
    assert_sound(case.stick, "snapshot")
    assert_kept(case, tmp_path)
    assert len(_store_data(case.stick)) < before + 20, "only what has changed is stored"


def test_from_directory_to_image_and_back(tmp_path: Path) -> None:
    case = lived_in.make(tmp_path)
    assert convert(case.stick, "directory") == ExitStatus.DONE
    assert convert(case.stick, "image", "--size", "16M") == ExitStatus.DONE
    assert_sound(case.stick, "image")
    assert_kept(case, tmp_path)
    assert convert(case.stick, "directory") == ExitStatus.DONE
    assert_sound(case.stick, "directory")
    assert_kept(case, tmp_path)


def test_a_cut_leaves_all_changes_and_the_next_run_ends_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There and back: at cuts between writes, and with sectors of one flush torn."""
    case = lived_in.make(tmp_path, size=36 * MIB)
    for to, words in (("directory", ()), ("snapshot", ("--size", "16M"))):
        path = case.stick.path
        with recorded_with_programs(path, monkeypatch, fat_folder) as recording:
            assert convert(case.stick, to, *words) == ExitStatus.DONE
        whole = path.read_bytes()
        dice = random.Random(len(recording.events))
        for number, state in enumerate(_states(recording, dice)):
            path.write_bytes(state)
            _assert_usable(case, tmp_path)
            if number % 4 == 0:
                assert convert(case.stick, to, *words) == ExitStatus.DONE
                assert_sound(case.stick, to)
                assert_kept(case, tmp_path)
        path.write_bytes(whole)


def _states(recording: Recording, dice: random.Random) -> Iterator[bytes]:
    """Some of the states that a cut could leave: one for each flush, and some between."""
    torn = list(range(sum(event is None for event in recording.events) + 1))
    chosen = set(dice.sample(torn, min(len(torn), 6)))
    for number, state in enumerate(recording.torn(dice)):
        if number in chosen:
            yield state
    for count in sorted(dice.sample(range(len(recording.events)), 4)):
        yield _after(recording, count)


def _after(recording: Recording, count: int) -> bytes:
    """The file after so many writes and flushes."""
    state = bytearray(recording.base)
    for event in recording.events[:count]:
        if event is not None:
            offset, data = event
            state[offset : offset + len(data)] = data
    return bytes(state)


def _assert_usable(case: LivedIn, scratch: Path) -> None:
    """A kernel that replays the journal finds an overlay with all changes, and the right words."""
    stick = case.stick
    stick.replay()
    stick.check()
    assert_kept(case, scratch)
    is_directory = "Type: directory" in stick.debugfs(f"stat /{NAME}/{OVERLAY}")
    assert not is_directory or "ovlwork" in stick.names()
    start, *_ = grub.parse(stick.menu(), "/menu.cfg", firmware=Firmware.UEFI).entries
    # boot-contract.md rule 5: with this word, changes in a snapshot would be lost.
    assert is_directory or WORD not in start.options


def _store_data(stick: Stick) -> list[str]:
    """The exceptions that ``overlay dump`` tells of."""
    path = stick.path.with_name("dump")
    assert main(["overlay", "dump", str(stick.path), "-o", str(path), "--force"]) == ExitStatus.DONE
    return path.read_text().splitlines()
