# SPDX-License-Identifier: Apache-2.0
"""The steps that plans are made of: a closed union of frozen dataclasses.

``str(step)`` is the line that a dry run prints. (The install engineer fills this file.)
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Nothing yet."""


Step = Placeholder
