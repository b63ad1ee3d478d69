# SPDX-License-Identifier: Apache-2.0
"""How several installations at once are told of, and what a script must name."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from liveos.cli import install
from liveos.cli.bar import bar_reporters
from liveos.cli.consent import show_plans
from liveos.cli.installation import carry_out
from liveos.cli.main import main
from liveos.cli.output import Output, ProgressStyle
from liveos.cli.progress import reporters
from liveos.errors import ExitStatus, NoSpaceError, RefusedError
from liveos.host.target import Target, TargetKind
from liveos.operations import together
from liveos.operations.plan import Plan
from liveos.operations.steps.stick import Detach
from liveos.operations.together import Outcome
from liveos.report import Reporter
from tests.unit.operations.test_device_refusals import TARGET


def plan_for(path: str, **facts: object) -> Plan:
    return Plan(
        f"install x on {path}",
        (),
        target=Target(Path(path), TargetKind.DEVICE, **facts),  # type: ignore[arg-type]
    )


PATHS = [Path("/dev/sdy"), Path("/dev/sdz")]
PLANS = [plan_for(str(path)) for path in PATHS]
FULL = NoSpaceError("no space is left", hint="/dev/sdz is unfinished and does not boot")


def pretend(monkeypatch: pytest.MonkeyPatch, *errors: NoSpaceError | None) -> None:
    """Every plan ends after 61 seconds, with these errors."""

    def execute_all(plans: Sequence[Plan], said: Sequence[Reporter]) -> tuple[Outcome, ...]:
        assert len(said) == len(plans)
        return tuple(Outcome(each, 61.0, e) for each, e in zip(plans, errors, strict=True))

    monkeypatch.setattr(together, "execute_all", execute_all)


def test_one_of_two_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, None, FULL)
    assert carry_out(Output(), PLANS, PATHS) == ExitStatus.NO_SPACE
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "/dev/sdy is ready (1 min 01 s).",
        "/dev/sdz FAILED: no space is left (/dev/sdz is unfinished and does not boot)",
    ]
    assert "liveos boot /dev/sdy" in err


def test_the_same_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, None, FULL)
    assert carry_out(Output(as_json=True), PLANS, PATHS) == ExitStatus.NO_SPACE
    document = json.loads(capsys.readouterr().out)
    assert [(each["target"], each["status"]) for each in document["targets"]] == [
        ("/dev/sdy", 0),
        ("/dev/sdz", 6),
    ]
    assert document["targets"][1]["error"] == "no space is left"
    assert "target" not in document


def test_the_only_one_fails_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, FULL)
    with pytest.raises(NoSpaceError):
        carry_out(Output(), PLANS[:1], PATHS[:1])


def test_one_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pretend(monkeypatch, None)
    ejected = replace(PLANS[0], steps=(Detach(Path("/dev/sdy")),))
    assert carry_out(Output(as_json=True), [ejected], PATHS[:1]) == ExitStatus.DONE
    assert json.loads(capsys.readouterr().out)["target"] == "/dev/sdy"
    pretend(monkeypatch, None)
    carry_out(Output(), [ejected], PATHS[:1])
    assert "plugged in again" in capsys.readouterr().err


def test_with_yes_a_device_is_named_by_its_serial_number() -> None:
    plan = replace(PLANS[0], target=TARGET)
    install._require_serial(plan, ("other", "4C530001"))
    install._require_serial(PLANS[0], ())
    with pytest.raises(RefusedError, match="SanDisk Ultra, serial 4C530001") as caught:
        install._require_serial(plan, ())
    assert "--serial 4C530001" in str(caught.value.hint)


def test_several_plans_are_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    show_plans(Output(as_json=True), PLANS)
    plans = json.loads(capsys.readouterr().out)["plans"]
    assert [plan["target"] for plan in plans] == ["/dev/sdy", "/dev/sdz"]
    show_plans(Output(as_json=True), PLANS[:1])
    assert json.loads(capsys.readouterr().out)["target"] == "/dev/sdy"


def test_progress_of_each_has_its_name() -> None:
    stream = io.StringIO()
    with reporters(Output(progress=ProgressStyle.LINES), ["sdy", "sdz"], stream) as (one, two):
        one.step("Copy", 1, 2)
        two.step("Copy", 2, 2)
    assert stream.getvalue() == "sdy: [1/2] Copy\nsdz: [2/2] Copy\n"
    stream = io.StringIO()
    with reporters(Output(progress=ProgressStyle.JSON), ["sdy", "sdz"], stream) as (_, two):
        two.step("Copy", 2, 2)
    assert json.loads(stream.getvalue())["target"] == "sdz"


def test_two_bars_end_each_for_itself() -> None:
    seconds = [0.0]
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    with bar_reporters(console, ["sdy", "sdz"], lambda: seconds[0]) as (one, two):
        one.step("Copy", 1, 2)
        two.step("Check", 1, 2)
        seconds[0] = 3
        one.step("Sync", 2, 2)
    text = stream.getvalue()
    assert "sdy: [1/2] Copy  3 s" in text
    assert "sdz: [1/2] Check  3 s" in text


def test_the_running_stick_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """``live`` alone is a stick that gets an image more; nothing of it is made anew."""
    assert main(["install", "x.iso", "live", "--label", "X"]) == ExitStatus.USAGE
    assert "--label is about a new stick" in capsys.readouterr().err


def test_after_the_running_stick(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, None)
    assert carry_out(Output(), PLANS[:1], [Path("live")]) == ExitStatus.DONE
    out, err = capsys.readouterr()
    assert out == "live is ready (1 min 01 s).\n"
    assert "prove" not in err
    assert "starts again" in err


def test_after_a_mounted_stick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can start it, or prove it, by the directory where it is mounted."""
    pretend(monkeypatch, None)
    assert carry_out(Output(), PLANS[:1], [tmp_path]) == ExitStatus.DONE
    err = capsys.readouterr().err
    assert "prove" not in err
    assert "still mounted" in err
