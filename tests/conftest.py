# SPDX-License-Identifier: Apache-2.0
"""How hypothesis searches: without a clock, and in CI the same way each time."""

import os

from hypothesis import HealthCheck, settings

# A busy machine is no failure: speed is measured by `make bench`, never asserted here.
_slow = [HealthCheck.too_slow]
settings.register_profile("local", deadline=None, suppress_health_check=_slow)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
