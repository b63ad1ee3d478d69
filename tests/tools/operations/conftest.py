# SPDX-License-Identifier: Apache-2.0
"""What all tests of operations share: one tiny ISO, and a wide terminal."""

from pathlib import Path

import pytest

from tests.tools.operations.tiny import make_iso


@pytest.fixture(scope="session")
def iso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_iso(tmp_path_factory.mktemp("source"))


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a line is broken would depend on the length of a temporary path."""
    monkeypatch.setenv("COLUMNS", "500")
