# SPDX-License-Identifier: Apache-2.0
"""Plans that are cut off before a step."""

from liveos.report import NullReporter


class StoppedError(Exception):
    """The step has come."""


class StopAt(NullReporter):
    """Ends a plan before the step with a number, the first of which is 1."""

    def __init__(self, number: int) -> None:
        self._number = number

    def step(self, title: str, number: int, of: int) -> None:
        if number == self._number:
            raise StoppedError
