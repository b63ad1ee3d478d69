# SPDX-License-Identifier: Apache-2.0
"""Images of a stick whose LIVE a kernel has mounted; checkers of filesystems look at it afterwards.

Only root can mount them, and only where there are loop devices; their partitions are told to the
kernel by partx, which needs no driver for partition tables.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.operations.install.filesystems import Btrfs, Ext4, LiveFilesystem, Xfs
from tests.tools.operations import layouts, tiny
from tests.tools.operations.images.sticks import digest_of, make_source
from tests.tools.operations.overlay.stores import run

pytestmark = [pytest.mark.tools, pytest.mark.root]

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


def names(stick: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert main(["list", "--json", str(stick)]) == ExitStatus.DONE
    return [each["name"] for each in json.loads(capsys.readouterr().out)["images"]]


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
        assert names(point, capsys) == ["LiveOS", "Other"]
        assert main(["verify", str(point)]) == ExitStatus.DONE
        assert sorted(each.name for each in point.iterdir() if each.name != "lost+found") == [
            "LiveOS",
            "Other",
        ]
        root = point / "Other/squashfs-2.img"
        assert run("sha256sum", root).split()[0].decode() == digest_of(
            newer, "/LiveOS/squashfs.img"
        )
    assert names(stick, capsys) == ["LiveOS", "Other"]
    _, esp, live = layouts.partitions(stick)
    run(*check, layouts.cut(stick, live, tmp_path / "live"))
    run("fsck.fat", "-n", layouts.cut(stick, esp, tmp_path / "esp"))
