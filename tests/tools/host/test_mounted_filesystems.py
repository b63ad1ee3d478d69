# SPDX-License-Identifier: Apache-2.0
"""Files of sticks that are mounted, on filesystems that liveos does not write by itself.

Only root can mount them, and only where there are loop devices.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus, NoSpaceError
from liveos.host.folders.folder import HostFolder
from tests.tools.operations.overlay import stores

pytestmark = [
    pytest.mark.tools,
    pytest.mark.root,
]

MIB = 1 << 20
MAKERS = {"xfs": "mkfs.xfs", "btrfs": "mkfs.btrfs", "ext4": "mkfs.ext4"}
# The least that mkfs.xfs makes.
SIZE = 304 * MIB


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> stores.Case:
    return stores.make(tmp_path_factory.mktemp("case"), size=24, files=12, journal=True)


@pytest.fixture(params=MAKERS)
def mounted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    maker = MAKERS[request.param]
    if shutil.which(maker) is None:
        pytest.skip(f"there is no {maker}")
    image, point = tmp_path / "stick.img", tmp_path / "stick"
    with image.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run([maker, "-q", image], check=True)
    point.mkdir()
    done = subprocess.run(
        ["mount", "-o", "loop", image, point], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(done.stderr.strip())
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)


def has_holes(path: Path) -> bool:
    facts = path.stat()
    return facts.st_blocks * 512 < facts.st_size


def test_files_keep_their_blocks(mounted: Path) -> None:
    folder, path = HostFolder(mounted), mounted / "store"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2 * MIB)
    folder.resize("store", 5 * MIB)
    assert not has_holes(path)
    with folder.create("new", 6 * MIB) as new:
        new.write_at(MIB, b"new")
    assert has_holes(mounted / "new")
    folder.replace("new", "store")
    assert not has_holes(path)
    assert path.read_bytes() == bytes(MIB) + b"new" + bytes(5 * MIB - 3)
    with pytest.raises(NoSpaceError):
        folder.resize("store", SIZE)
    assert path.stat().st_size == 6 * MIB


def test_new_files_are_written_in_place(mounted: Path) -> None:
    """As the kernel wants it of swap files, which it takes from btrfs in no other way."""
    swap = mounted / "swap"
    with HostFolder(mounted).create("swap", 4 * MIB):
        pass
    with swap.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, 4 * MIB)
    subprocess.run(["mkswap", "-q", swap], check=True)
    done = subprocess.run(["swapon", swap], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    subprocess.run(["swapoff", swap], check=True)


def test_overlay_verbs(case: stores.Case, mounted: Path, tmp_path: Path) -> None:
    live = mounted / "LiveOS"
    live.mkdir()
    shutil.copyfile(case.origin, live / "rootfs.img")
    shutil.copyfile(case.store, live / "overlay-LIVE-1")
    for words in ("status", "check", "resize +8M --yes", "check", "compact --yes", "check --fs"):
        verb, *options = words.split()
        assert main(["overlay", verb, str(mounted), *options]) == ExitStatus.DONE
        assert not has_holes(live / "overlay-LIVE-1")
    merged = tmp_path / "merged.img"
    assert main(["overlay", "merge", str(mounted), "-o", str(merged), "--replay", "-y"]) == 0
    stores.assert_files(merged, case.kept, tmp_path)
    assert main(["overlay", "reset", str(mounted), "--yes"]) == ExitStatus.DONE
    assert not has_holes(live / "overlay-LIVE-1")
