# SPDX-License-Identifier: Apache-2.0
"""ext4 in files: what e2fsprogs says of what we made with it."""

import re
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from liveos.errors import NoSpaceError, ToolFailedError
from liveos.host import ext4
from liveos.host.run import run
from liveos.host.volumes import (
    BLOCK,
    CHECKSUM_FEATURES,
    SAFE_FEATURES,
    Ext4Volume,
    ext4_capacity,
)

pytestmark = pytest.mark.tools

MIB = 1 << 20
OFFSET = 8 * MIB


def make(path: Path, size: int, features: str = CHECKSUM_FEATURES) -> Ext4Volume:
    volume = Ext4Volume(path, OFFSET, size)
    with path.open("wb") as file:
        file.truncate(OFFSET + size)
    run(volume.make("LIVE", UUID(int=5), features))
    return volume


def check(volume: Ext4Volume) -> None:
    done = subprocess.run(["e2fsck", "-f", "-n", str(volume)], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("features", [SAFE_FEATURES, CHECKSUM_FEATURES])
@pytest.mark.parametrize(
    "mebibytes", [32, 64, 100, 128, 132, 256, 511, 512, 1000, 4096, 7364, 61440, 500_000]
)
def test_what_we_count_on_is_really_free(tmp_path: Path, mebibytes: int, features: str) -> None:
    volume = make(tmp_path / "disk", mebibytes * MIB, features)
    statistics = run(volume.show(), stdin=b"stats -h\n").text
    free = re.search(r"Free blocks: +(\d+)", statistics)
    assert free is not None
    assert ext4_capacity(volume.size) <= int(free[1]) * BLOCK
    assert ext4_capacity(volume.size) >= int(free[1]) * BLOCK * 0.97 - 2 * MIB


@pytest.mark.parametrize("features", [SAFE_FEATURES, CHECKSUM_FEATURES])
def test_a_file_reads_zeros_until_it_is_marked_written(tmp_path: Path, features: str) -> None:
    volume = make(tmp_path / "disk", 64 * MIB, features)
    ext4.make_directory(volume, "/d", None)
    size = 300_001
    runs = ext4.allocate(volume, "/d/file", size)
    data = bytes(range(256)) * 1200
    with volume.path.open("r+b") as file:
        for part in runs:
            file.seek(volume.offset + part.offset)
            file.write(data[part.logical * BLOCK :][: part.size])
    assert run(volume.show(), stdin=b"dump_extents /d/file\n").text.count("Uninit") == len(runs)
    assert cat(volume, "/d/file") == bytes(size)
    ext4.mark_written(volume, "/d/file", runs)
    assert cat(volume, "/d/file") == data[:size]
    check(volume)


def cat(volume: Ext4Volume, path: str) -> bytes:
    done = subprocess.run(
        ["debugfs", "-R", f"cat {path}", str(volume)], capture_output=True, check=True
    )
    return done.stdout


def test_a_large_file_in_many_extents(tmp_path: Path) -> None:
    """More than 4 GiB, and more extents than an inode holds."""
    volume = make(tmp_path / "disk", 6 * 1024 * MIB)
    size = 5 * 1024 * MIB + 1
    runs = ext4.allocate(volume, "/file", size)
    assert len(runs) > 4
    ext4.mark_written(volume, "/file", runs)
    after = ext4.block_runs(volume, "/file")
    assert [(r.logical, r.physical, r.length) for r in after] == [
        (r.logical, r.physical, r.length) for r in runs
    ]
    assert all(part.written for part in after)
    assert f"Size: {size}" in run(volume.show(), stdin=b"stat /file\n").text
    check(volume)


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    volume = make(tmp_path / "disk", 64 * MIB)
    with pytest.raises(NoSpaceError):
        ext4.allocate(volume, "/file", 80 * MIB)


def test_what_debugfs_complains_of_is_an_error(tmp_path: Path) -> None:
    volume = make(tmp_path / "disk", 64 * MIB)
    with pytest.raises(ToolFailedError, match="debugfs"):
        ext4.make_directory(volume, "/no/such", None)
    with pytest.raises(ToolFailedError):
        ext4.block_runs(volume, "/nothing")


def test_no_bytes_lie_outside_the_window(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    volume = Ext4Volume(path, OFFSET, 64 * MIB)
    path.write_bytes(b"\xa5" * (OFFSET + 65 * MIB))
    run(volume.make("LIVE", UUID(int=5), CHECKSUM_FEATURES))
    runs = ext4.allocate(volume, "/file", 40 * MIB)
    ext4.mark_written(volume, "/file", runs)
    disk = path.read_bytes()
    assert disk[:OFFSET] == b"\xa5" * OFFSET
    assert disk[-MIB:] == b"\xa5" * MIB
