# SPDX-License-Identifier: Apache-2.0
"""Sticks of all layouts with a tiny image, and what other programs see on them."""

import json
import os
from pathlib import Path

from liveos.host.target import look_at
from liveos.medium.home.mounting import LiveSystem
from liveos.operations.execute import execute
from liveos.operations.install.planning import InstallRequest, plan
from liveos.operations.plan import Plan
from liveos.sizes import Size
from tests.tools.operations.tiny import MIB, facts, run
from tests.unit.operations.sources import IDENTITIES

SIZE = 512 * MIB
NO_SELINUX = LiveSystem(systemd=252)


def made(iso: Path, target: Path, **changes: object) -> Path:
    execute(planned(iso, target, **changes))
    return target


def planned(iso: Path, target: Path, **changes: object) -> Plan:
    wishes: dict[str, object] = {"size": SIZE, "overlay": Size(bytes=20 * MIB), **changes}
    request = InstallRequest(identities=IDENTITIES, **wishes)  # type: ignore[arg-type]
    return plan(request, facts(iso), look_at(target, iso), NO_SELINUX)


def partitions(stick: Path) -> list[dict[str, object]]:
    run("sfdisk", "--verify", stick)
    table = json.loads(run("sfdisk", "--json", stick))["partitiontable"]
    found: list[dict[str, object]] = table["partitions"]
    return found


def cut(stick: Path, part: dict[str, object], to: Path) -> Path:
    start, size = int(str(part["start"])), int(str(part["size"]))
    numbers = (f"skip={start}", f"count={size}")
    run("dd", f"if={stick}", f"of={to}", "bs=512", *numbers, "conv=sparse", "status=none")
    os.truncate(to, size * 512)
    return to


def read_fat(live: Path, path: str) -> bytes:
    return run("mcopy", "-i", live, f"::{path}", "-")


def section(image: Path, name: str) -> bytes:
    to = image.with_suffix(name)
    run("objcopy", "--dump-section", f"{name}={to}", image, image.with_suffix(".copy"))
    return to.read_bytes()
