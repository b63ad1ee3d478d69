# SPDX-License-Identifier: Apache-2.0
"""The medium that the sticks of these tests have been made from."""

from pathlib import Path

import pytest

from tests.tools.operations.images.sticks import make_source as make_iso
from tests.tools.operations.litd.source import make_source


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source(tmp_path_factory.mktemp("litd"))


@pytest.fixture(scope="session")
def flat_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source(tmp_path_factory.mktemp("litd-flat"), flat=True, dracut="106")


@pytest.fixture(scope="session")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ISO whose image keeps changes in a snapshot store."""
    return make_iso(tmp_path_factory.mktemp("nested"), "Fedora-WS-Live-36", "fedora-36")


@pytest.fixture(scope="session")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ISO whose image has OverlayFS alone."""
    return make_iso(tmp_path_factory.mktemp("flat"))
