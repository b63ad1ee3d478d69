# SPDX-License-Identifier: Apache-2.0
"""What was found wrong with an overlay, for people: a table, a verdict and the next command."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from rich.console import Group, RenderableType
from rich.text import Text

from liveos.cli.render import SEVERITY_STYLE, SEVERITY_WORD, table
from liveos.cli.text import printable
from liveos.medium.overlay.check import StoreCheck, StoreState
from liveos.report import Finding, Severity

_NOT_REPAIRED = {"H4", "P1", "P2"}
_LEGEND = (
    "The overlay keeps changed pieces of the system, and a list with one entry for each that says"
    " where it lies."
)


def check_view(
    check: StoreCheck, place: str, words: Sequence[str], said: str | None = None
) -> Iterator[RenderableType]:
    """The findings, worst first; ``words`` name the overlay on the command line.

    ``said`` is what e2fsck printed, where that is wanted.
    """
    if said:
        yield Text(printable(f"e2fsck said:\n{said}\n"), "dim")
    if check.findings:
        yield _table(check.findings)
        yield ""
    if not check.is_clean and any(finding.code[0] in "AR" for finding in check.findings):
        yield Text(_LEGEND, "dim")
    yield line(f"{printable(place)}: {_verdict(check)}", "bold")
    following = _next(check, place, words)
    if following:
        yield line(following)


def line(words: str, style: str = "") -> RenderableType:
    """A line that is not broken, so that it can be taken as it is."""
    return Group(Text(words, style, no_wrap=True, overflow="ignore"))


def _table(findings: Sequence[Finding]) -> RenderableType:
    order = list(Severity)
    lines = table("severity", "code", "what was found, and what repairs it")
    for each in sorted(findings, key=lambda finding: order.index(finding.severity)):
        style = SEVERITY_STYLE[each.severity]
        lines.add_row(Text(SEVERITY_WORD[each.severity], style), each.code, _sentence(each))
    return lines


def _sentence(finding: Finding) -> Text:
    text = Text(printable(finding.message))
    if finding.repair:
        text.append(f"\n→ {printable(finding.repair)}", "green")
    return text


def _verdict(check: StoreCheck) -> str:
    if check.is_clean:
        return "not used yet" if check.state is StoreState.BLANK else "in order"
    severities = [finding.severity for finding in check.findings]
    errors, warnings = severities.count(Severity.FATAL), severities.count(Severity.WARNING)
    return ", ".join(filter(None, (_many(errors, "error"), _many(warnings, "warning"))))


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}" if number else ""


def _next(check: StoreCheck, place: str, words: Sequence[str]) -> str | None:
    """The command to run next; None when there is nothing to do, or nothing that helps.

    What lies in a stick is of use only there; a store of its own is better left as it is.
    """
    wrong = {each.code for each in check.findings if each.severity is not Severity.INFO}
    unreadable = check.store is None and not wrong & {"H3", "H5"}
    if not wrong or wrong & _NOT_REPAIRED or unreadable:
        return None
    more = [
        *(("--keep", "last") if "R4" in wrong else ()),
        *(("--force-header",) if "H3" in wrong else ()),
    ]
    is_bare = PurePath(words[0]).name == PurePath(place).name
    target = ("-o", "NEW") if is_bare else ("--in-place",)
    return f"next: {shlex.join(('liveos', 'overlay', 'repair', *words, *target, *more))}"
