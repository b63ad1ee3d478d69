# SPDX-License-Identifier: Apache-2.0
"""Files in memory: reached by other programs, gone afterwards."""

import subprocess

from liveos.host.memory_file import memory_file


def test_another_program_reads_and_writes_it() -> None:
    with memory_file("test", b"content", size=10) as file:
        path = file.path
        assert subprocess.run(["cat", path], capture_output=True, check=True).stdout == (
            b"content\0\0\0"
        )
        subprocess.run(["dd", "conv=notrunc", f"of={path}"], input=b"C", check=True)
        assert path.read_bytes() == b"Content\0\0\0"
    assert not path.exists()


def test_room_that_nobody_wrote_to_is_not_taken() -> None:
    with memory_file("test", size=1 << 40) as file:
        facts = file.path.stat()
        assert facts.st_size == 1 << 40
        assert facts.st_blocks == 0
