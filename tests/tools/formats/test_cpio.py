# SPDX-License-Identifier: Apache-2.0
"""cpio archives that GNU cpio wrote."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from liveos.formats.binary import MemorySource
from liveos.formats.compression.streams import PieceStream, SourceStream
from liveos.formats.cpio import CpioReader
from tests.tools.formats.isos import noise

pytestmark = pytest.mark.tools


def pack(tree: Path, form: str = "newc") -> bytes:
    """An archive of a tree, sorted as dracut has it."""
    names = sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))
    return subprocess.run(
        ["cpio", "-o", "-H", form, "--quiet", "-0"],
        input="\0".join(names).encode(),
        cwd=tree,
        capture_output=True,
        check=True,
    ).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "usr/lib/modules").mkdir(parents=True)
    for size in range(9):
        (tree / f"usr/lib/{'n' * (size + 1)}").write_bytes(noise(size))
    (tree / "usr/lib/large").write_bytes(noise(700_001))
    (tree / "usr/lib/ünï").symlink_to("../far")
    os.mkfifo(tree / "pipe")
    return tree


@pytest.mark.parametrize("form", ["newc", "crc"])
@pytest.mark.parametrize("in_pieces", [False, True])
def test_members_are_what_was_packed(tree: Path, form: str, in_pieces: bool) -> None:
    packed = pack(tree, form)
    pieces = iter([packed[start : start + 777] for start in range(0, len(packed), 777)])
    stream = PieceStream(pieces) if in_pieces else SourceStream(MemorySource(packed))
    reader = CpioReader(stream)
    found = set()
    for member in reader:
        original = tree / member.name
        found.add(member.name)
        assert member.mode == original.lstat().st_mode
        if stat.S_ISREG(member.mode):
            assert member.size == original.stat().st_size
            assert reader.read(member.size) == original.read_bytes()
        elif stat.S_ISLNK(member.mode):
            assert reader.read(member.size).decode() == str(original.readlink())
    assert found == {str(path.relative_to(tree)) for path in tree.rglob("*")}


def test_archives_in_a_row_are_one(tree: Path) -> None:
    packed = pack(tree)
    once = [member.name for member in CpioReader(SourceStream(MemorySource(packed)))]
    row = packed + bytes(1024) + packed + bytes(4) + b"\x1f\x8b\x08 something else"
    stream = SourceStream(MemorySource(row))
    assert [member.name for member in CpioReader(stream)] == once * 2
    assert stream.peek(3) == b"\x1f\x8b\x08"
