# SPDX-License-Identifier: Apache-2.0
"""Images of a stick whose LIVE a kernel has mounted; checkers of filesystems look at it afterwards.

Only root can mount them, and only where there are loop devices; their partitions are told to the
kernel by partx, which needs no driver for partition tables.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.host.target import look_at
from liveos.medium.inspect import inspect
from liveos.medium.model import PersistenceKind
from liveos.medium.stick import OpenStick, open_stick
from liveos.operations.execute import execute
from liveos.operations.images.kept_memory import OverlayFate
from liveos.operations.images.plans import add, remove, rename, update
from liveos.operations.install.filesystems import Btrfs, Ext4, LiveFilesystem, Xfs
from liveos.operations.plan import Plan
from liveos.report import NullReporter
from tests.tools.operations import layouts, tiny
from tests.tools.operations.images.sticks import SECOND, SYSTEM, digest_of, make_source, request
from tests.tools.operations.overlay.stores import run

pytestmark = [pytest.mark.tools, pytest.mark.root]

OTHER = "Other"
CHECKS: tuple[tuple[LiveFilesystem, tuple[str, ...]], ...] = (
    (Btrfs(), ("btrfs", "check")),
    (Xfs(), ("xfs_repair", "-n")),
    (Ext4(), ("e2fsck", "-fn")),
)


@contextmanager
def mounted(stick: Path, point: Path) -> Iterator[str]:
    """The disk, whose third partition is mounted meanwhile."""
    disk = run("losetup", "--find", "--show", stick).decode().strip()
    try:
        run("partx", "--add", disk)
        point.mkdir(exist_ok=True)
        done = subprocess.run(
            ["mount", f"{disk}p3", point], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"it cannot be mounted here: {done.stderr}")
        try:
            yield disk
        finally:
            run("umount", point)
    finally:
        subprocess.run(["partx", "--delete", disk], capture_output=True, check=False)
        run("losetup", "--detach", disk)


@pytest.fixture
def without_syncs() -> None:
    """As nothing else does, a copy of the disk tells what has been synced."""


def titles(stick: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    capsys.readouterr()
    assert main(["list", "--json", str(stick)]) == ExitStatus.DONE
    listed = json.loads(capsys.readouterr().out)["images"]
    return {each["name"]: each["title"] for each in listed}


@pytest.mark.parametrize(
    ("filesystem", "check"), CHECKS, ids=lambda each: getattr(each, "name", "")
)
def test_images_come_and_go_while_it_is_mounted(
    filesystem: LiveFilesystem,
    check: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stick = layouts.made(tiny.make_iso(tmp_path), tmp_path / "stick.img", filesystem=filesystem)
    iso, newer = make_source(tmp_path), make_source(tmp_path, "Fedora-WS-Live-41-newer")
    point = tmp_path / "mnt"
    with mounted(stick, point) as disk:
        assert main(["install", "--add", "--yes", str(iso), disk]) != ExitStatus.DONE
        add = ("install", "--add", "--yes", "--overlay", "16M", "--overlay-kind", "snapshot")
        for name in ("Second", "Third"):
            assert main([*add, "--name", name, str(iso), str(point)]) == ExitStatus.DONE
        assert main(["rename", "--yes", f"{point}:Second", "Other"]) == ExitStatus.DONE
        aside = ("update", "--yes", "--overlay", "set-aside")
        assert main([*aside, f"{point}:Other", str(newer)]) == ExitStatus.DONE
        loop = run("losetup", "--find", "--show", point / "Third/squashfs.img").decode().strip()
        assert main(["remove", "--yes", f"{point}:Third"]) == ExitStatus.REFUSED
        run("losetup", "--detach", loop)
        assert main(["remove", "--yes", f"{point}:Third"]) == ExitStatus.DONE
        shown = titles(point, capsys)
        assert shown == {"LiveOS": "TINY-LIVE", OTHER: "Fedora-WS-Live-41-newer"}
        assert main(["verify", str(point)]) == ExitStatus.DONE
        assert sorted(each.name for each in point.iterdir() if each.name != "lost+found") == [
            "LiveOS",
            "Other",
        ]
        root = point / "Other/squashfs-2.img"
        assert run("sha256sum", root).split()[0].decode() == digest_of(
            newer, "/LiveOS/squashfs.img"
        )
    assert titles(stick, capsys) == shown
    _, esp, live = layouts.partitions(stick)
    run(*check, layouts.cut(stick, live, tmp_path / "live"))
    run("fsck.fat", "-n", layouts.cut(stick, esp, tmp_path / "esp"))


class Copier(NullReporter):
    """Copies the disk before each step: what only the kernel has in memory is not there."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self.copies: list[Path] = []

    def step(self, title: str, number: int, of: int) -> None:
        copy = self._disk.with_suffix(f".{len(self.copies)}")
        run("cp", "--sparse=always", self._disk, copy)
        self.copies.append(copy)


def promised(disk: str, point: Path) -> dict[str, str]:
    """The sum of each image's root that the menu starts, where its overlay is, too."""
    found = {}
    for name in re.findall(r"/liveos/([^/]+)/menu.cfg", read(disk, "/EFI/BOOT/grub.cfg")):
        menu = read(disk, f"/liveos/{name}/menu.cfg")
        words = dict(word.partition("=")[::2] for word in menu.split())
        directory = point / words.get("rd.live.dir", "LiveOS")
        root = directory / words.get("rd.live.squashimg", "squashfs.img")
        assert read(disk, words_after("linux", menu))
        overlay = words.get("rd.live.overlay", ":").partition(":")[2]
        assert (point / overlay.lstrip("/")).exists()
        found[name] = run("sha256sum", root).split()[0].decode()
    return found


def words_after(verb: str, menu: str) -> str:
    return menu.split()[menu.split().index(verb) + 1]


def read(disk: str, path: str) -> str:
    return run("mtype", "-i", f"{disk}p2", f"::{path}").decode("latin-1")


@pytest.mark.parametrize("filesystem", [Btrfs(), Xfs()], ids=lambda each: each.name)
def test_at_each_step_everything_promised_is_on_the_disk(
    filesystem: LiveFilesystem, tmp_path: Path
) -> None:
    stick = layouts.made(tiny.make_iso(tmp_path), tmp_path / "stick.img", filesystem=filesystem)
    iso, newer = make_source(tmp_path), make_source(tmp_path, "Fedora-WS-Live-41-newer")
    point, copier = tmp_path / "mnt", Copier(stick)
    with mounted(stick, point) as disk:
        before = promised(disk, point)
        for planned in (adding(iso), renaming, updating(newer), removing):
            with open_stick(point) as opened:
                plan = planned(opened)
            execute(plan, copier)
    old, new = (digest_of(each, "/LiveOS/squashfs.img") for each in (iso, newer))
    states = [before, *({**before, **each} for each in ({SECOND: old}, {OTHER: old}, {OTHER: new}))]
    seen: list[dict[str, str]] = []
    for copy in copier.copies:
        with mounted(copy, point) as disk:
            found = promised(disk, point)
        copy.unlink()
        if found not in seen[-1:]:
            seen.append(found)
    assert seen == [*states, before]


def adding(iso: Path) -> Callable[[OpenStick], Plan]:
    wanted = request(overlay_kind=PersistenceKind.DIRECTORY)
    return lambda stick: add.plan(wanted, inspect(iso), stick, look_at(stick.device, iso), SYSTEM)


def renaming(stick: OpenStick) -> Plan:
    return rename.plan(stick, SECOND, OTHER)


def updating(iso: Path) -> Callable[[OpenStick], Plan]:
    wanted = update.UpdateRequest(uuid=UUID(int=9), overlay=OverlayFate.SET_ASIDE)
    return lambda stick: update.plan(
        wanted, inspect(iso), stick, OTHER, look_at(stick.device, iso), SYSTEM
    )


def removing(stick: OpenStick) -> Plan:
    return remove.plan(stick, OTHER)
