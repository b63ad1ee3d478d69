# SPDX-License-Identifier: Apache-2.0
"""``home create`` and ``home remove`` cut off: no home under its name, or the whole one.

With ``--every-cut`` after every write, without after some of them.
"""

import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from uuid import UUID

import pytest

from liveos.medium.home.locate import open_home
from liveos.operations.execute import execute
from liveos.operations.home.plans import create, remove
from liveos.sizes import parse_size
from tests.sampling import Sampling
from tests.tools.host.power_cuts import Recording, leave, recorded
from tests.tools.operations.home.sticks import MIB, ext4_stick, home_on, run

pytestmark = pytest.mark.tools

UUID_1 = UUID("6c697665-6f73-4000-8000-00000000000a")


def states(recording: Recording, sampling: Sampling) -> Iterator[bytes]:
    """The first write, the last, some between; and of the flushes some, torn in two ways."""
    dice = random.Random(4)
    torn = (sampling.of(recording.torn(dice), 4) for _ in range(2))
    return chain(sampling.of(recording.prefixes(), 12), *torn)


def found_on(stick: Path, scratch: Path) -> bytes | None:
    """The home that the kernel would show, after a replay; the stick must then be clean."""
    run("e2fsck", "-fy", "-E", "journal_only", stick)
    run("e2fsck", "-fn", stick)
    if b"/home.img/" not in run("debugfs", "-R", "ls -p /LiveOS", stick):
        return None
    return home_on(stick, scratch).read_bytes()


def test_create_and_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    stick, scratch = ext4_stick(tmp_path, mebibytes=64), tmp_path / "home"
    with open_home(str(stick)) as found:
        plan = create.plan(found, str(stick), create.HomeWish(parse_size("32M"), UUID_1))
    with recorded(stick, monkeypatch) as creation:
        execute(plan)
    whole = home_on(stick, scratch).read_bytes()
    assert len(whole) == 32 * MIB
    run("e2fsck", "-fn", scratch)
    with open_home(str(stick)) as found:
        plan = remove.plan(found, str(stick))
    with recorded(stick, monkeypatch) as removal:
        execute(plan)
    for recording in (creation, removal):
        outcomes = set()
        for state in states(recording, sampling):
            leave(state, stick)
            home = found_on(stick, scratch)
            assert home is None or bool(home == whole)
            outcomes.add(home is None)
        assert outcomes == {True, False}
