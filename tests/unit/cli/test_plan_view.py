# SPDX-License-Identifier: Apache-2.0
"""Plans as people read them before they say yes."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from liveos.cli.consent import consent, show_plan
from liveos.cli.output import Output
from liveos.cli.plan_view import plan_view
from liveos.errors import RefusedError
from liveos.operations.plan import Plan
from liveos.operations.steps.stick import CreateImage, Sync

GIB = 1 << 30
PLAN = Plan(
    title="install Fedora-28 on /srv/stick.img",
    steps=(CreateImage(Path("/srv/stick.img.part"), 8 * GIB), Sync(Path("/srv/stick.img.part"))),
    destroys=("everything on /srv/stick.img (8 GiB)", "ext4 filesystem, label \x1b[1mHOME"),
    notes=("changes share the 6 GiB that are free on LIVE",),
    layout=(("ESP", 2 * GIB), ("LIVE", 6 * GIB), ("LIVE: squashfs.img", 2 * GIB)),
)


def lines(plan: Plan, width: int = 100, *, complete: bool = True) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, markup=False, highlight=False)
    for part in plan_view(plan, complete=complete):
        console.print(part)
    return [" ".join(line.split()) for line in stream.getvalue().splitlines()]


def test_everything_of_a_plan_is_shown() -> None:
    shown = lines(PLAN)
    assert shown[0] == "Plan: install Fedora-28 on /srv/stick.img"
    assert shown[4:7] == ["ESP 2 GiB 25 %", "LIVE 6 GiB 75 %", "squashfs.img 2 GiB 25 %"]
    assert "note: changes share the 6 GiB that are free on LIVE" in shown
    for number, step in enumerate(PLAN.steps, 1):
        assert f"{number}. {step}" in " ".join(shown)


def test_before_the_question_many_steps_are_only_counted() -> None:
    many = replace(PLAN, steps=PLAN.steps * 20)
    asked = lines(many, complete=False)
    assert "40 steps; --dry-run shows each of them." in asked
    assert not any(str(PLAN.steps[1]) in line for line in asked)
    assert len([line for line in lines(many) if str(PLAN.steps[1]) in line]) == 20
    few = lines(PLAN, complete=False)
    assert all(f"{number}. {step.title}" in few for number, step in enumerate(PLAN.steps, 1))


def test_what_will_be_lost_stands_last_and_cannot_hide_itself() -> None:
    assert lines(PLAN)[-3:] == [
        "This will be lost:",
        "everything on /srv/stick.img (8 GiB)",
        r"ext4 filesystem, label \x1b[1mHOME",
    ]


def test_yes_is_asked_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    consent(Output(), PLAN, yes=True)
    assert capsys.readouterr().err == ""
    consent(Output(verbose=True), PLAN, yes=True)
    assert "Plan: install Fedora-28" in capsys.readouterr().err


def test_without_a_terminal_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(RefusedError, match="no terminal") as caught:
        consent(Output(), PLAN, yes=False)
    assert "--yes" in str(caught.value.hint)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "destroys", "goes_on"),
    [
        ("y\n", True, True),
        ("YES\n", True, True),
        ("\n", True, False),
        ("", True, False),
        ("n\n", False, False),
        ("\n", False, True),
    ],
)
def test_the_answer_decides(
    answer: str, destroys: bool, goes_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(PLAN.title, PLAN.steps, destroys=PLAN.destroys if destroys else ())
    question = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr", question)
    if goes_on:
        consent(Output(), plan, yes=False)
    else:
        with pytest.raises(RefusedError, match="nothing was changed"):
            consent(Output(), plan, yes=False)
    assert ("This will be lost" in question.getvalue()) is destroys


def test_a_dry_run_is_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(Output(), PLAN)
    assert "Plan: install Fedora-28" in capsys.readouterr().out
    show_plan(Output(as_json=True), PLAN)
    assert '"schema": "liveos/plan/1"' in capsys.readouterr().out
