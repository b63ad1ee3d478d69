# SPDX-License-Identifier: Apache-2.0
"""The ISOs that come to sticks in these tests."""

from pathlib import Path

import pytest

from tests.tools.operations.images.sticks import make_source


@pytest.fixture(scope="module")
def iso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source(tmp_path_factory.mktemp("newer"), "Fedora-WS-Live-40-1-2")
