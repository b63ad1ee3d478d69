# SPDX-License-Identifier: Apache-2.0
"""``liveos install``: an image onto a new stick, as a plan."""

from liveos.operations.install.planning import plan
from liveos.operations.install.stick import HomeRequest, InstallRequest

__all__ = ["HomeRequest", "InstallRequest", "plan"]
