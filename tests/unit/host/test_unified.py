# SPDX-License-Identifier: Apache-2.0
"""The section with a command line; images are built and judged in tests/tools/operations."""

from pathlib import Path

import pytest

from liveos.errors import UnsupportedError
from liveos.host.unified import build, padded


def test_a_command_line_has_room_to_grow() -> None:
    section = padded("root=live:UUID=1 quiet")
    assert section.rstrip(b"\0") == b"root=live:UUID=1 quiet"
    assert len(section) == 4096


@pytest.mark.parametrize("line", ["x" * 2048, "a\0b"])
def test_what_the_kernel_would_not_read(line: str) -> None:
    with pytest.raises(UnsupportedError):
        padded(line)


def test_the_command_is_final() -> None:
    command = build(Path("stub"), {".linux": 0x1B000}, {".linux": Path("vmlinuz")}, Path("out"))
    assert str(command) == (
        "objcopy --add-section .linux=vmlinuz --set-section-flags"
        " .linux=alloc,load,readonly,data --change-section-vma .linux=0x1b000 stub out"
    )
