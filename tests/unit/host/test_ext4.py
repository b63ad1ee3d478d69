# SPDX-License-Identifier: Apache-2.0
"""What debugfs prints of a file's extents (e2fsprogs 1.47)."""

from liveos.host.ext4 import BlockRun, parse_extents

DEEP = """\
debugfs: dump_extents /LiveOS/squashfs.img
Level Entries         Logical        Physical Length Flags
 0/ 1   1/  1      0 - 511999 163842          512000
 1/ 1   1/  3      0 -  24727   8040 -  32767  24728 Uninit
 1/ 1   2/  3  24728 -  57494  32770 -  65536  32767
 1/ 1   3/  3  57495 -  90261  65537 -  98303  32767 Uninit
debugfs:\x20
"""
SHALLOW = """\
Level Entries       Logical      Physical Length Flags
 0/ 0   1/  1     0 -     2 524147 - 524149      3
"""


def test_leaves_are_runs_and_index_rows_are_not() -> None:
    assert parse_extents(DEEP) == (
        BlockRun(0, 8040, 24728, written=False),
        BlockRun(24728, 32770, 32767, written=True),
        BlockRun(57495, 65537, 32767, written=False),
    )


def test_a_file_with_one_extent() -> None:
    (run,) = parse_extents(SHALLOW)
    assert (run.offset, run.size, run.written) == (524147 * 4096, 3 * 4096, True)


def test_an_empty_file_has_none() -> None:
    assert parse_extents("Level Entries       Logical      Physical Length Flags\n") == ()
