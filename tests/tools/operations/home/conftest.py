# SPDX-License-Identifier: Apache-2.0
"""The group of verbs is found by its name, whether or not the documentation has it yet."""

import pytest

from liveos.cli.verbs import VERBS


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERBS, "home", "See, make and remove the persistent home.")
