# SPDX-License-Identifier: Apache-2.0
"""What files are used by; devices are in tests/unit/host/block."""

from pathlib import Path

import pytest

from liveos.host import use
from liveos.host.block.machine import Machine
from liveos.host.use import use_of


def test_a_file_that_nobody_uses(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    assert use_of(tmp_path / "file") is None


def test_swap_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "swap space"
    file.write_bytes(b"x")
    (tmp_path / "proc").mkdir()
    place = str(file).replace(" ", "\\040")
    (tmp_path / "proc/swaps").write_text(f"Filename Type\n{place}    file    4 0 -2\n")
    monkeypatch.setattr(use, "Machine", lambda: Machine(tmp_path))
    assert use_of(file) == "it is swap space in use"
