# SPDX-License-Identifier: Apache-2.0
"""What other programs find on a stick of livecd-iso-to-disk: all its files, and what they hold."""

import hashlib

from tests.litd_sticks import OldStick, run
from tests.tools.operations.litd.test_service import menus

NAME = "Rescue"
"""The image that these tests add."""


def paths(stick: OldStick, directory: str = "") -> set[str]:
    """All files below a directory, by other programs."""
    if stick.old.is_fat:
        where = f"{stick.path}@@{stick.offset}"
        rows = run("mdir", "-/", "-b", "-a", "-i", where, f"::{directory or '/'}").decode()
        return {row[2:] for row in rows.splitlines() if row and not row.endswith("/")}
    target = stick.path.with_name("dumped")
    run("rm", "-rf", target)
    target.mkdir()
    where = f"{stick.path}?offset={stick.offset}"
    run("debugfs", "-R", f"rdump {directory or '/'} {target}", where)
    base = target / directory.rpartition("/")[2] if directory else target
    return {f"{directory}/{each.relative_to(base)}" for each in base.rglob("*") if each.is_file()}


def sums(stick: OldStick, directory: str = "") -> dict[str, str]:
    """What every file holds."""
    return {path: digest(stick, path) for path in paths(stick, directory)}


def digest(stick: OldStick, path: str) -> str:
    """What a file holds."""
    return hashlib.sha256(stick.read(path)).hexdigest()


def others(stick: OldStick) -> dict[str, str]:
    """All that is not the new image's, and no menu."""
    changing = set(menus(stick))
    found = sums(stick).items()
    return {
        path: digest
        for path, digest in found
        if path not in changing and not path.startswith(f"/{NAME}/")
    }
