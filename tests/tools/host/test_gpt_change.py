# SPDX-License-Identifier: Apache-2.0
"""Partitions made larger and smaller, as sfdisk sees them, and whatever the moment of a cut."""

import random
import re
from itertools import chain
from pathlib import Path

import pytest

from liveos.errors import UnsupportedError
from liveos.host.folders.partition import PartitionFolder
from tests.sampling import Sampling
from tests.tools.host.power_cuts import leave, recorded
from tests.tools.operations.home.sticks import MIB, run

pytestmark = pytest.mark.tools

_BACKUP = 33 * 512
_TABLE = "label: gpt\nstart=1MiB, size=2MiB, name=one\nstart=4MiB, size=3MiB, name=two\n"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(16 * MIB)
    run("sfdisk", "-q", path, stdin=_TABLE.encode())
    return path


def partition(disk: Path, number: int) -> PartitionFolder:
    offset, size = {1: (MIB, 2 * MIB), 2: (4 * MIB, 3 * MIB)}[number]
    return PartitionFolder(disk, offset, size, number, filled=True)


def dump(disk: Path) -> list[str]:
    """Everything but the name of the file, and what depends on its size."""
    lines = run("sfdisk", "--dump", disk).decode().replace(str(disk), "disk").splitlines()
    return [line for line in lines if not line.startswith("last-lba")]


def size_of(disk: Path, number: int) -> int:
    row = re.search(rf"^disk{number} :.* size= *(\d+),", "\n".join(dump(disk)), re.MULTILINE)
    assert row
    return int(row[1]) * 512


@pytest.mark.parametrize(("number", "size"), [(2, 8 * MIB), (2, MIB), (1, 3 * MIB), (1, MIB)])
def test_sizes(disk: Path, number: int, size: int) -> None:
    before = dump(disk)
    partition(disk, number).resize("", size)
    assert b"No errors detected" in run("sfdisk", "--verify", disk)
    old = partition(disk, number).size
    row = next(line for line in before if line.startswith(f"disk{number}"))
    changed = re.sub(rf"size= *{old // 512},", f"size={size // 512:>12},", row)
    assert changed != row
    assert dump(disk) == [changed if line == row else line for line in before]


def test_on_a_disk_that_became_longer(disk: Path) -> None:
    """As after a copy onto a larger stick: the backup moves to the end."""
    with disk.open("r+b") as file:
        file.truncate(24 * MIB)
    partition(disk, 2).resize("", 18 * MIB)
    said = run("sfdisk", "--verify", disk)
    assert b"No errors detected" in said
    assert b"PMBR" not in said
    assert size_of(disk, 2) == 18 * MIB
    # The backup alone tells the same.
    before = dump(disk)
    with disk.open("r+b") as file:
        file.seek(512)
        file.write(bytes(33 * 512))
    assert dump(disk) == before


@pytest.mark.parametrize(
    ("number", "size"), [(1, 4 * MIB), (2, 12 * MIB), (2, 2**40), (2, 0), (2, 700), (3, MIB)]
)
def test_refused(disk: Path, number: int, size: int) -> None:
    before = disk.read_bytes()
    with pytest.raises(UnsupportedError) as raised:
        PartitionFolder(disk, 0, MIB, number, filled=True).resize("", size)
    assert raised.value.hint
    assert disk.read_bytes() == before


def test_damaged_or_unusual_tables_are_left_alone(disk: Path) -> None:
    with disk.open("r+b") as file:
        file.seek(512 + 60)
        file.write(b"xx")
    before = disk.read_bytes()
    with pytest.raises(UnsupportedError, match="damaged"):
        partition(disk, 2).resize("", MIB)
    assert disk.read_bytes() == before
    run("sfdisk", "-q", disk, stdin=b"label: gpt\nfirst-lba: 34\nstart=40, size=100\n")
    with pytest.raises(UnsupportedError, match="right behind"):
        partition(disk, 1).resize("", MIB)


def test_cut_off(disk: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling) -> None:
    """Linux looks at the first header alone; so here it is the only one."""
    with recorded(disk, monkeypatch) as recording:
        partition(disk, 2).resize("", 8 * MIB)
    sizes = []
    torn = (sampling.of(recording.torn(random.Random(seed)), 3, seed) for seed in range(3))
    for state in chain(sampling.of(recording.prefixes(), 6), *torn):
        leave(state[:-_BACKUP].ljust(len(state), b"\0"), disk)
        sizes.append(size_of(disk, 2))
        # Whatever there is, the change can be made again.
        leave(state, disk)
        partition(disk, 2).resize("", 5 * MIB)
        assert b"No errors detected" in run("sfdisk", "--verify", disk)
        assert size_of(disk, 2) == 5 * MIB
    assert set(sizes) == {3 * MIB, 8 * MIB}
