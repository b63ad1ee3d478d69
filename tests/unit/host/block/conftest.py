# SPDX-License-Identifier: Apache-2.0
"""A made-up machine for each test."""

from pathlib import Path

import pytest

from tests.unit.host.block.machines import Forge


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(tmp_path)
