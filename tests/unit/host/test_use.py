# SPDX-License-Identifier: Apache-2.0
"""What files are used by; devices are in tests/unit/host/block."""

from pathlib import Path

from liveos.host.use import use_of


def test_a_file_that_nobody_uses(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    assert use_of(tmp_path / "file") is None
