# SPDX-License-Identifier: Apache-2.0
"""Changed files for people: a letter for each, whole lines, the largest users first."""

import pytest

from liveos.cli.output import Output
from liveos.cli.overlay.diff_view import diff_view
from liveos.medium.overlay.changes.model import Changes, Usage, Use

_LONG = "/" + "a directory with a long name/" * 12 + "file"


def shown(
    capsys: pytest.CaptureFixture[str],
    changes: Changes,
    *usage: Usage,
    verbose: bool = False,
) -> list[str]:
    Output().show(*diff_view(changes, usage, verbose=verbose))
    return capsys.readouterr().out.splitlines()


def test_a_line_for_each_change_by_path(capsys: pytest.CaptureFixture[str]) -> None:
    changes = Changes(
        added=("/b", _LONG),
        removed=("/c\x1b[31m\n",),
        modified=("/a",),
        renamed=(("/x", "/d"),),
        metadata=("/e",),
    )
    assert shown(capsys, changes) == [
        "M /a",
        f"A {_LONG}",
        "A /b",
        r"D /c\x1b[31m\n",
        "R /x -> /d",
        "m /e",
        "2 added, 1 removed, 1 modified, 1 renamed, 1 metadata only",
    ]


def test_nothing_is_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, Changes()) == ["No file is changed."]


def test_the_largest_twenty_and_the_rest_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    usage = [Usage(f"/file{number}", (40 - number) << 20, Use.FILE) for number in range(30)]
    lines = shown(capsys, Changes(), *usage)
    assert lines[2] == "What fills the overlay  765 MiB"
    assert lines[4].split() == ["40", "MiB", "5.2%", "/file0"]
    assert len(lines) == 4 + 20 + 1
    assert lines[-1].split(maxsplit=3) == ["155", "MiB", "20.3%", "10 more (--verbose lists them)"]
    lines = shown(capsys, Changes(), *usage, verbose=True)
    assert len(lines) == 4 + 30
    assert lines[-1].split() == ["11", "MiB", "1.4%", "/file29"]
