# SPDX-License-Identifier: Apache-2.0
"""How much is tried: how hypothesis searches, where things are cut off, and what is booted."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.sampling import Sampling

# A busy machine is no failure: speed is measured by `make bench`, never asserted here.
_slow = [HealthCheck.too_slow]
settings.register_profile("local", deadline=None, suppress_health_check=_slow)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-cut", action="store_true", help="cut off everywhere, not at a few places"
    )
    parser.addoption(
        "--every-boot", action="store_true", help="boot also what has much in common with others"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A boot takes most of a minute where each instruction is translated."""
    if config.getoption("--every-boot"):
        return
    spare = [item for item in items if item.get_closest_marker("spare")]
    config.hook.pytest_deselected(items=spare)
    items[:] = [item for item in items if item not in spare]


@pytest.fixture(scope="session")
def sampling(request: pytest.FixtureRequest) -> Sampling:
    return Sampling(every=request.config.getoption("--every-cut"))
