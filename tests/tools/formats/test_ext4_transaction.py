# SPDX-License-Identifier: Apache-2.0
"""Transactions that are cut off: ``e2fsck -fy`` finds the old tree or the new one, whole.

The new tree is what debugfs makes of the old one; the blocks in which the two images differ are
the transaction, and the superblock is always among them.
"""

import subprocess
from pathlib import Path
from random import Random

import pytest

from liveos.formats.binary import MemorySource
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.replay import recover
from liveos.formats.ext4.transaction import write_transaction
from liveos.formats.tree import FileKind
from tests.unit.formats.ext4.power_cuts import CutDisk, Disk

pytestmark = pytest.mark.tools

KINDS = {
    "ext4": "-t ext4 -b 1024",
    "ext4-plain": "-t ext4 -b 1024 -O ^metadata_csum,^64bit",
    "ext3": "-t ext3 -b 1024",
    "ext4-4k": "-t ext4 -b 4096",
}
CHANGES = """\
write {big} new
rm old1
mkdir directory
write {small} directory/inside
write {small} old2.new
rm old2
"""
CUTS = 20


def run(*command: str | Path, stdin: str = "") -> tuple[int, str]:
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def made(kind: str, folder: Path) -> tuple[bytes, bytes]:
    """The old image and the new one."""
    tree, path = folder / "tree", folder / "image"
    tree.mkdir()
    for number in range(1, 6):
        (tree / f"old{number}").write_bytes(Random(number).randbytes(3000 * number))
    size = "24M" if kind.endswith("4k") else "12M"
    status, said = run("mke2fs", "-q", *KINDS[kind].split(), "-d", tree, path, size)
    assert status == 0, said
    old = path.read_bytes()
    big, small = folder / "big", folder / "small"
    big.write_bytes(b"\xc0\x3b\x39\x98" + Random(9).randbytes(40_000))
    small.write_bytes(b"small")
    run("debugfs", "-w", "-f", "-", path, stdin=CHANGES.format(big=big, small=small))
    status, said = run("e2fsck", "-fn", path)
    assert status == 0, said
    return old, path.read_bytes()


def listing(source: MemorySource | CutDisk) -> dict[str, bytes]:
    """Paths and contents."""
    tree = Ext4(source)
    return {
        node.path: tree.open(node).read_at(0, node.size) if node.kind is FileKind.FILE else b""
        for node in tree.walk()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_e2fsck_finds_old_or_new(kind: str, tmp_path: Path) -> None:
    old, new = made(kind, tmp_path)
    size = 4096 if kind.endswith("4k") else 1024
    blocks = {
        number: new[number * size : (number + 1) * size]
        for number in range(len(new) // size)
        if new[number * size : (number + 1) * size] != old[number * size : (number + 1) * size]
    }
    disk = Disk(old)
    write_transaction(disk, disk, blocks)
    trees = {"old": listing(MemorySource(old)), "new": listing(MemorySource(new))}
    cuts = list(disk.cuts(Random(kind), 5))
    found = [
        state_after_e2fsck(source, trees, tmp_path / "cut")
        for _, source in [cuts[0], *sorted_sample(cuts), cuts[-1]]
    ]
    assert set(found) == {"old", "new"}
    assert found == sorted(found, reverse=True)


def sorted_sample(cuts: list[tuple[int, CutDisk]]) -> list[tuple[int, CutDisk]]:
    return [cuts[index] for index in sorted(Random(1).sample(range(len(cuts)), CUTS))]


def state_after_e2fsck(source: CutDisk, trees: dict[str, dict[str, bytes]], path: Path) -> str:
    """What e2fsck makes of it; ours agrees."""
    path.write_bytes(source.read_at(0, source.size))
    status, said = run("e2fsck", "-fy", path)
    assert status in {0, 1}, said
    after = listing(MemorySource(path.read_bytes()))
    (state,) = (name for name, tree in trees.items() if tree == after)
    status, said = run("e2fsck", "-fn", path)
    assert status == 0, said
    recovered = recover(source)
    whole = MemorySource(recovered.read_at(0, recovered.size))
    assert listing(whole) == trees[state]
    return state
