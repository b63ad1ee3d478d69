# SPDX-License-Identifier: Apache-2.0
"""At the end of a run stands what it has proved: a line for each proof, with its seconds."""

from collections.abc import Callable, Iterator

import pytest

from tests.vm import proofs

_PROOF = "proof"


@pytest.fixture(autouse=True)
def _proofs_are_told(record_property: Callable[[str, object], None]) -> Iterator[None]:
    proofs.LINES.clear()
    yield
    for line in proofs.LINES:
        record_property(_PROOF, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = {
        str(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == _PROOF
    }
    if lines:
        terminalreporter.section("proofs")
        for line in sorted(lines):
            terminalreporter.write_line(line)
