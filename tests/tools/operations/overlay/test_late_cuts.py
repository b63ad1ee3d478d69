# SPDX-License-Identifier: Apache-2.0
"""``overlay create``, ``remove`` and ``reset`` cut off, at every write and torn into sectors.

Whatever is left starts as before or as afterwards: where the menu leads to an overlay, there is a
whole one. And the same command, given again, ends what was begun.
"""

import json
import random
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from uuid import UUID

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.host.folders import fat_folder
from liveos.medium.installation import open_installation
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.locate import open_overlay
from liveos.operations.execute import execute
from liveos.operations.overlay.plans import create, remove, reset
from liveos.operations.plan import Plan
from liveos.operations.steps.overlay import Subject
from liveos.sizes import Size
from tests.tools.host.power_cuts import Recording, recorded_with_programs
from tests.tools.operations.overlay.sticks import MIB, NAME, Stick, make_stick
from tests.tools.operations.overlay.test_late import assert_sound, used_upper

pytestmark = pytest.mark.tools

SIZE = 16 * MIB
EVERY = 8
LEAST = {
    PersistenceKind.SNAPSHOT: 28 * MIB,
    PersistenceKind.DIRECTORY: 24 * MIB,
    PersistenceKind.IMAGE: 28 * MIB,
}
"""Of the filesystem: the less there is, the more states can be looked at."""


@dataclass(frozen=True)
class Seen:
    """What a kernel and an initramfs would find: the menu, the record, and what is beside."""

    menu: str
    record: str
    names: frozenset[str]
    overlay: str | None


def plan_create(stick: Stick, kind: PersistenceKind) -> Plan:
    size = None if kind is PersistenceKind.DIRECTORY else Size(bytes=SIZE)
    with open_installation(str(stick.path)) as found:
        return create.plan(found, create.OverlayWish(UUID(int=7), kind, size))


def plan_remove(stick: Stick) -> Plan:
    with open_installation(str(stick.path)) as found:
        return remove.plan(found)


def plan_reset(stick: Stick) -> Plan:
    with open_overlay(str(stick.path)) as found:
        return reset.plan(found, Subject(str(stick.path), None, found.place), UUID(int=8))


def record_of(stick: Stick, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> Recording:
    with recorded_with_programs(stick.path, monkeypatch, fat_folder) as recording:
        execute(plan)
    return recording


def states(recording: Recording) -> Iterator[bytes]:
    """After some of the writes, and with torn flushes; all writes have been tried by hand."""
    state = bytearray(recording.base)
    writes = [event for event in recording.events if event is not None]
    for number, (offset, data) in enumerate(writes):
        if number % EVERY == 0:
            yield bytes(state)
        state[offset : offset + len(data)] = data
    yield from islice(recording.torn(random.Random(4)), 0, None, 2)
    yield bytes(state)


def seen(stick: Stick) -> Seen:
    stick.replay()
    stick.check()
    assert not [fault for fault in stick.esp_faults() if "share" in fault or "Bad" in fault]
    names = frozenset(stick.names())
    overlay = content(stick) if stick.overlay in names else None
    return Seen(stick.menu(), json.dumps(stick.record(), sort_keys=True), names, overlay)


def content(stick: Stick) -> str:
    """What the overlay is: a directory with its tree, a blank store, or a whole filesystem."""
    inode = stick.debugfs(f"stat /{NAME}/{stick.overlay}")
    if "Type: directory" in inode:
        return stick.debugfs(f"ls -p /{NAME}/{stick.overlay}").partition("/../")[2] and tree(stick)
    copy = stick.path.with_name("overlay.copy")
    stick.debugfs(f"dump /{NAME}/{stick.overlay} {copy}")
    assert copy.stat().st_size == SIZE
    if not any(copy.read_bytes()):
        return "blank"
    done = subprocess.run(["e2fsck", "-fn", copy], capture_output=True, check=False)
    assert done.returncode == 0
    return done.stdout.decode().splitlines()[-1].partition(": ")[2]


def tree(stick: Stick) -> str:
    """The names in an upper directory, whoever owns them, in ``ls -R``'s manner."""
    target = stick.path.with_name("dumped")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    stick.debugfs(f"rdump /{NAME}/{stick.overlay} {target}")
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*"))
    for path in target.rglob("*"):
        path.chmod(path.stat().st_mode | stat.S_IRWXU)
    return f"{len(found)} files and directories"


def leads(menu: str, stick: Stick) -> bool:
    return f"/{NAME}/{stick.overlay}" in menu


@pytest.mark.parametrize("kind", LEAST)
def test_create_and_remove(
    kind: PersistenceKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick = make_stick(tmp_path, size=LEAST[kind])
    without = seen(stick)
    creation = record_of(stick, plan_create(stick, kind), monkeypatch)
    with_it = seen(stick)
    assert leads(with_it.menu, stick)
    removal = record_of(stick, plan_remove(stick), monkeypatch)
    assert seen(stick) == without
    for recording in (creation, removal):
        menus = set()
        for state in states(recording):
            stick.become(state)
            left = seen(stick)
            assert left.menu in (without.menu, with_it.menu)
            assert left.record in (without.record, with_it.record)
            if leads(left.menu, stick):
                assert left.overlay == with_it.overlay
            menus.add(left.menu)
        assert menus == {without.menu, with_it.menu}
    size = [] if kind is PersistenceKind.DIRECTORY else ["--size", str(SIZE)]
    go_on(stick, creation, "create", "--kind", str(kind), *size)
    go_on(stick, removal, "remove")


def go_on(stick: Stick, recording: Recording, verb: str, *words: str) -> None:
    """The same command, where it was cut off: afterwards everything is as it should be."""
    stick.become(recording.final())
    after = seen(stick)
    for state in islice(states(recording), 0, None, 12):
        stick.become(state)
        status = main(["overlay", verb, str(stick.path), "--yes", *words])
        # It is refused where nothing is left to be done.
        assert status in {ExitStatus.DONE, ExitStatus.REFUSED}
        found = seen(stick)
        assert (found.menu, found.names) == (after.menu, after.names)
        assert found.record == after.record


RESETS: dict[str, Callable[[Path], Stick]] = {
    "directory": lambda scratch: make_stick(scratch, beside=used_upper(scratch), size=16 * MIB),
    "image": make_stick,
}


@pytest.mark.parametrize("kind", RESETS)
def test_reset(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stick = RESETS[kind](tmp_path)
    if kind == "image":
        execute(plan_create(stick, PersistenceKind.IMAGE))
    before = seen(stick)
    recording = record_of(stick, plan_reset(stick), monkeypatch)
    after = seen(stick)
    assert_sound(stick)
    assert kind == "image" or before.overlay != after.overlay
    overlays = set()
    for state in chain(states(recording), recording.torn(random.Random(5))):
        stick.become(state)
        left = seen(stick)
        assert left.menu == before.menu
        assert left.overlay in (before.overlay, after.overlay)
        assert kind == "image" or "ovlwork" in left.names
        overlays.add(left.overlay)
    assert overlays == {before.overlay, after.overlay}
    for state in islice(states(recording), 0, None, 12):
        stick.become(state)
        execute(plan_reset(stick))
        assert_sound(stick)
        assert seen(stick) == after
