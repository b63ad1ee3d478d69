# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, as types: each error knows its exit status and the next step."""

from enum import IntEnum
from typing import ClassVar


class ExitStatus(IntEnum):
    """Exit status of the program; the man page repeats this table and a test compares them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PROBLEMS_FOUND = 3
    REFUSED = 4
    TOOL_MISSING = 5
    NO_SPACE = 6
    UNSUPPORTED = 7
    NOT_PERMITTED = 8
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """One phrase, as in the man page."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitStatus.DONE: "done",
    ExitStatus.FAILED: "failed",
    ExitStatus.USAGE: "wrong usage",
    ExitStatus.PROBLEMS_FOUND: "a check, verification or proof did not hold",
    ExitStatus.REFUSED: "refused for safety",
    ExitStatus.TOOL_MISSING: "an external program is missing",
    ExitStatus.NO_SPACE: "not enough space",
    ExitStatus.UNSUPPORTED: "unsupported or damaged image",
    ExitStatus.NOT_PERMITTED: "not permitted",
    ExitStatus.INTERRUPTED: "interrupted",
}


class LiveosError(Exception):
    """An expected failure: what was wrong and where (message), what to do next (hint)."""

    status: ClassVar[ExitStatus] = ExitStatus.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ToolFailedError(LiveosError):
    """An external program ended with a status that means failure."""


class UsageError(LiveosError):
    """The words of the command line do not make a request."""

    status = ExitStatus.USAGE


class ProblemsFoundError(LiveosError):
    """A verification did not hold: the data is there, but it is not what it should be."""

    status = ExitStatus.PROBLEMS_FOUND


class RefusedError(LiveosError):
    """Going on could destroy something that the request does not name."""

    status = ExitStatus.REFUSED


class ToolMissingError(LiveosError):
    """An external program, or a data file that a package brings, is not installed."""

    status = ExitStatus.TOOL_MISSING


class NoSpaceError(LiveosError):
    """The pieces do not fit."""

    status = ExitStatus.NO_SPACE


class UnsupportedError(LiveosError):
    """The image is damaged, or of a kind that cannot be used this way."""

    status = ExitStatus.UNSUPPORTED


class NotPermittedError(LiveosError):
    """The operating system refused access."""

    status = ExitStatus.NOT_PERMITTED


class InterruptedByUserError(LiveosError):
    """SIGINT or SIGTERM arrived; what was begun has been put in a named state."""

    status = ExitStatus.INTERRUPTED
