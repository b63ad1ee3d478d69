# SPDX-License-Identifier: Apache-2.0
"""Changes to a stick of livecd-iso-to-disk, cut off at every write and torn into sectors.

Each menu is the old one or the new one then; where one leads to an overlay there is a whole one,
and the same command, given again, ends what was begun.
"""

import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from uuid import UUID

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.host.folders import fat_folder
from liveos.medium.installation import open_installation
from liveos.medium.model import PersistenceKind
from liveos.operations.execute import execute
from liveos.operations.overlay.plans import create, remove
from liveos.operations.plan import Plan
from liveos.sizes import Size
from tests.litd_sticks import MIB, Old, OldStick, make_old_stick
from tests.sampling import Sampling
from tests.tools.host.power_cuts import Recording, leave, recorded_with_programs
from tests.tools.operations.litd.test_service import menus

pytestmark = pytest.mark.tools

SIZE = 16 * MIB
PLACES, MOST = 12, 60
"""Cuts that are looked at, and where every one should be: each costs a second here."""


def plan_create(spec: str) -> Plan:
    with open_installation(spec) as found:
        wish = create.OverlayWish(UUID(int=7), PersistenceKind.SNAPSHOT, Size(bytes=SIZE))
        return create.plan(found, wish)


def plan_remove(spec: str) -> Plan:
    with open_installation(spec) as found:
        return remove.plan(found)


def states(recording: Recording, sampling: Sampling) -> Iterator[bytes]:
    some, most = Sampling(every=False), MOST if sampling.every else PLACES
    torn = recording.torn(random.Random(3))
    return chain(some.of(recording.prefixes(), most), some.of(torn, most))


def assert_promised(stick: OldStick, old: dict[str, str], new: dict[str, str]) -> None:
    found = menus(stick)
    for path, text in found.items():
        assert text in (old[path], new[path])
    name = stick.old.overlay_name
    if any(name in text for text in found.values()):
        assert stick.read(f"/LiveOS/{name}") == bytes(SIZE)


def test_create_and_remove(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    stick = make_old_stick(tmp_path, source, Old(overlay=None, size_mib=40))
    spec = str(stick.path)
    without = menus(stick)
    with recorded_with_programs(stick.path, monkeypatch, fat_folder) as creation:
        execute(plan_create(spec))
    with_it = menus(stick)
    with recorded_with_programs(stick.path, monkeypatch, fat_folder) as removal:
        execute(plan_remove(spec))
    assert menus(stick) == without
    for recording, verb, last in ((creation, "create", with_it), (removal, "remove", without)):
        for number, state in enumerate(states(recording, sampling)):
            leave(state, stick.path)
            assert_promised(stick, without, with_it)
            if number % 6 == 0:
                status = main(["overlay", verb, spec, "--yes", *_size(verb)])
                # It is refused where nothing is left to be done.
                assert status in {ExitStatus.DONE, ExitStatus.REFUSED}
                assert menus(stick) == last


def _size(verb: str) -> list[str]:
    return ["--size", str(SIZE)] if verb == "create" else []
