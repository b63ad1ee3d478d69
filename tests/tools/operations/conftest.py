# SPDX-License-Identifier: Apache-2.0
"""One tiny ISO for all tests of operations."""

from pathlib import Path

import pytest

from tests.tools.operations.tiny import make_iso


@pytest.fixture(scope="session")
def iso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_iso(tmp_path_factory.mktemp("source"))
