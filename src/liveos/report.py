# SPDX-License-Identifier: Apache-2.0
"""How operations speak: findings and progress go to a reporter that is passed in.

The library prints nothing. ``liveos.cli`` has the reporters for terminals, logs and scripts.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Severity(StrEnum):
    """How bad a finding is; the worst one decides the exit status of a check."""

    FATAL = "fatal"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found by looking: a stable code, a sentence, and the repair if there is one."""

    code: str
    severity: Severity
    message: str
    repair: str | None = None


class Reporter(Protocol):
    """Receives what happens while a plan is carried out. Amounts are bytes."""

    def step(self, title: str, number: int, of: int) -> None:
        """Step ``number`` (from 1) of ``of`` begins."""

    def progress(self, done: int, total: int | None) -> None:
        """Of this step, ``done`` bytes have reached their destination; total None is unknown."""

    def finding(self, finding: Finding) -> None:
        """Something that the person should know, without stopping."""


class NullReporter:
    """Says nothing: the library's default."""

    def step(self, title: str, number: int, of: int) -> None:
        """Ignore."""

    def progress(self, done: int, total: int | None) -> None:
        """Ignore."""

    def finding(self, finding: Finding) -> None:
        """Ignore."""
