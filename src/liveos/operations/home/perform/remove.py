# SPDX-License-Identifier: Apache-2.0
"""Deleting a home."""

from liveos.operations.steps.home import RemoveHome


def remove_home(step: RemoveHome) -> None:
    """One change of the directory; refused while the home is in use."""
    with step.place.hold():
        step.place.folder.remove(step.place.name)
