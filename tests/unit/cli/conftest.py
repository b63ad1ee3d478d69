# SPDX-License-Identifier: Apache-2.0
"""A wide terminal: where a line is broken depends on the length of a temporary path."""

import pytest


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "500")
