# SPDX-License-Identifier: Apache-2.0
"""Shapes that several verbs show: plain tables, plans, findings."""

from rich.table import Table

from liveos.report import Severity

_SEVERITY_STYLE = {Severity.FATAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "dim"}


def table(*columns: str, right: frozenset[str] = frozenset()) -> Table:
    """A table without frames: it can be read, and cut with other programs."""
    lines = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        lines.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return lines
