# SPDX-License-Identifier: Apache-2.0
"""What all tests of operations share: one tiny ISO, a wide terminal, and quick passphrases."""

from pathlib import Path

import pytest

from liveos.host import luks
from tests.light_luks import LEAST_COST
from tests.tools.operations.tiny import make_iso


@pytest.fixture(scope="session")
def iso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_iso(tmp_path_factory.mktemp("source"))


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a line is broken would depend on the length of a temporary path."""
    monkeypatch.setenv("COLUMNS", "500")


@pytest.fixture(autouse=True)
def least_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess is quick here: what it costs in earnest is shown in tests/tools/host."""
    monkeypatch.setattr(luks, "_KDF_COST", LEAST_COST)
