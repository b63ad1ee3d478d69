# SPDX-License-Identifier: Apache-2.0
"""Values as one line of text, made safe to print.

Text from images may hold escape sequences and broken encodings.
"""

from liveos.report import Finding, Severity


def printable(text: str) -> str:
    r"""``text`` with everything that a terminal would act on written as ``\xNN``; lines stay."""
    whole = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(_visible(character) for character in whole)


def _visible(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return character.encode("unicode_escape").decode("ascii")


def duration(seconds: float) -> str:
    """Whole seconds in words, minutes apart."""
    whole = int(seconds + 0.5)
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def finding_line(finding: Finding) -> str:
    """One finding as one line, with its repair."""
    kind = "note" if finding.severity is Severity.INFO else finding.severity.value
    repair = f" ({finding.repair})" if finding.repair else ""
    return printable(f"{kind}: {finding.message}{repair}")
