# SPDX-License-Identifier: Apache-2.0
"""What real live systems answered, judged; expected is what the unit in the images reported.

``tests/data/live_systems.json`` was recorded from the serial lines of the boots in
``tests/vm/test_prove.py``; of mountinfo it has the lines that matter.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from liveos.medium.model import PersistenceKind
from liveos.operations.guests.shell import Answer
from liveos.operations.prove.judgement import find_memory
from liveos.operations.prove.mark import memory_problems
from liveos.operations.prove.observation import Observation, observe

SYSTEMS = json.loads((Path(__file__).parents[2] / "data" / "live_systems.json").read_text())
# The order in which `observe` asks; a question tells its answer by a part of it.
PARTS = {
    "/proc/cmdline": "cmdline",
    "readlink -f": "upper",
    "uname": "kernel",
    "mountinfo": "mounts",
    "loop/backing_file": "loops",
    "dm/name": "mapped",
    "dmsetup": "status",
    "swaps": "swaps",
    "/run/initramfs/live/": "asked",
}
# What the recordings do not have, and what these systems would have said.
LATER = ("/partition", "/etc/passwd", "stat -c", "readlink /overlay")
KINDS = {"snapshot": PersistenceKind.SNAPSHOT, "overlayfs": PersistenceKind.DIRECTORY}


def seen_in(system: dict[str, Any]) -> Observation:
    def ask(command: str) -> Answer:
        if any(part in command for part in LATER):
            return Answer("", 0)
        (name,) = [name for part, name in PARTS.items() if part in command]
        return Answer(system["answers"][name], 0)

    return observe(ask)


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system["name"])
def test_we_say_what_the_guest_says(system: dict[str, Any]) -> None:
    seen, report = seen_in(system), system["report"]
    memory = find_memory(seen)
    assert (seen.kernel, seen.cmdline) == (report["kernel"], report["cmdline"])
    assert memory.kind is KINDS[report["overlay"]]
    assert memory.store == report["overlay_store"]
    assert memory.persistent is not report["overlay_device"].startswith("tmpfs")


def test_the_one_without_its_overlay_is_told_why() -> None:
    (absent,) = [system for system in SYSTEMS if "absent" in system["name"]]
    (problem,) = memory_problems(seen_in(absent))
    assert "changes go to memory" in problem
    assert "/LiveOS/elsewhere-Debian-WS-Live-1-94a873ee" in problem
    assert "nothing of that name" in problem
