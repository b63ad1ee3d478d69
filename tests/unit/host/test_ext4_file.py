# SPDX-License-Identifier: Apache-2.0
"""A file of ext4 written in place: in which order, and what counts when."""

from collections.abc import Sequence

import pytest

from liveos.errors import NoSpaceError
from liveos.host.ext4 import BlockRun
from liveos.host.folders.ext4_file import Ext4File, Judge

BLOCK = 1024
STALE = b"\xa5"


class Disk:
    """Blocks of a filesystem in memory, full of what an earlier file left; says what it is told."""

    def __init__(self, blocks: int) -> None:
        self.data = bytearray(STALE * blocks * BLOCK)
        self.size = len(self.data)
        self.log: list[str] = []
        self.answer = ""

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(self.data[offset : offset + length])

    def write_at(self, offset: int, data: bytes) -> None:
        self.data[offset : offset + len(data)] = data
        self.log.append("write")

    def flush(self) -> None:
        self.log.append("flush")

    def apply(self, lines: Sequence[str], judge: Judge | None) -> str:
        if judge is not None:
            judge(self.answer)
        self.log.append(" ".join(lines))
        return self.answer


def file_of(disk: Disk, size: int, *runs: BlockRun) -> Ext4File:
    file = Ext4File(disk, 12, size, BLOCK, disk.apply)
    file.place(runs)
    return file


def test_unwritten_blocks_read_zeros_until_they_are_written() -> None:
    disk = Disk(20)
    file = file_of(disk, 4_000, BlockRun(0, 10, 4, written=False))
    assert file.read_at(0, 4_000) == bytes(4_000)
    file.write_at(1_500, b"abc")
    assert file.read_at(0, 4_000) == bytes(1_500) + b"abc" + bytes(2_497)
    # The rest of that block must not be the earlier file's, once it counts.
    assert disk.read_at(11 * BLOCK, BLOCK) == bytes(476) + b"abc" + bytes(545)
    assert disk.read_at(12 * BLOCK, 1) == STALE


def test_bytes_are_durable_before_their_blocks_count() -> None:
    disk = Disk(20)
    file = file_of(disk, 4_096, BlockRun(0, 10, 4, written=False))
    file.write_at(0, bytes(2 * BLOCK))
    file.flush()
    *before, change = disk.log
    assert before == ["write", "flush"]
    assert change == (
        "extent_open <12> goto_block 0 replace_node 0 2 10 "
        "insert_node --after --uninit 2 2 12 extent_close"
    )


def test_written_blocks_need_no_transaction() -> None:
    disk = Disk(20)
    file = file_of(disk, 4_096, BlockRun(0, 10, 2, written=True), BlockRun(2, 5, 2, written=True))
    file.write_at(1_000, b"x" * 2_000)
    file.flush()
    assert file.read_at(0, 4_096) == STALE * 1_000 + b"x" * 2_000 + STALE * 1_096
    assert disk.read_at(5 * BLOCK, 952) == b"x" * 952
    assert "flush" in disk.log
    assert not [line for line in disk.log if "extent" in line]


def test_holes_get_blocks_before_they_are_written() -> None:
    disk = Disk(20)
    file = file_of(disk, 4_096)
    disk.answer = " 0/ 0   1/  1     0 -     3      7 -     10      4 Uninit\n"
    file.write_at(1_024, b"abc")
    assert disk.log == ["fallocate <12> 1 3 dump_extents <12>", "write"]
    assert disk.read_at(8 * BLOCK, 3) == b"abc"
    assert file.read_at(0, 1_030) == bytes(1_024) + b"abc" + bytes(3)


def test_holes_that_get_no_blocks_are_not_written() -> None:
    disk = Disk(20)
    before = bytes(disk.data)
    with pytest.raises(NoSpaceError):
        file_of(disk, 4_096).write_at(1_024, b"abc")
    assert disk.data == before
    assert disk.log == []
