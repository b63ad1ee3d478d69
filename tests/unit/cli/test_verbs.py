# SPDX-License-Identifier: Apache-2.0
"""What every verb must do, written once and tried with each."""

from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from tests.unit.commands import VERBS as COMMANDS
from tests.unit.commands import options

VERBS = sorted(COMMANDS)
# The words after a verb that name a source, and one that it may write where it takes one.
WITH_SOURCE = {
    "boot": ["{source}"],
    "home create": ["--size", "64M", "--plain", "--yes", "{source}"],
    "home encrypt": ["--key-file", "{source}", "--yes", "{source}"],
    "home remove": ["--yes", "{source}"],
    "home resize": ["--size", "64M", "--yes", "{source}"],
    "home status": ["{source}"],
    "default": ["--yes", "{source}:A"],
    "inspect": ["{source}"],
    "install": ["--size", "64M", "--yes", "{source}", "{scratch}/stick.img"],
    "list": ["{source}"],
    "litd": ["--format", "--efi", "--size", "64M", "--yes", "{source}", "{scratch}/stick.img"],
    "overlay check": ["{source}"],
    "overlay compact": ["--yes", "{source}"],
    "overlay convert": ["--to", "directory", "--yes", "{source}"],
    "overlay create": ["--yes", "{source}"],
    "overlay diff": ["{source}"],
    "overlay dump": ["{source}"],
    "overlay merge": ["--yes", "{source}", "-o", "{scratch}/new.img"],
    "overlay pack": ["{source}", "-o", "{scratch}/pack"],
    "overlay remove": ["--yes", "{source}"],
    "overlay repair": ["--yes", "{source}", "-o", "{scratch}/new"],
    "overlay reset": ["--yes", "{source}"],
    "overlay resize": ["--yes", "{source}", "1G"],
    "overlay restore": ["--yes", "{source}", "-o", "{scratch}/store"],
    "overlay status": ["{source}"],
    "prove": ["{source}"],
    "verify": ["{source}"],
    "remove": ["--yes", "{source}:A"],
    "rename": ["--yes", "{source}:A", "B"],
    "update": ["--yes", "{source}:A", "{source}"],
}
CHANGING = {
    "default",
    "home create",
    "home encrypt",
    "home remove",
    "home resize",
    "install",
    "overlay compact",
    "overlay convert",
    "overlay create",
    "overlay merge",
    "overlay remove",
    "overlay repair",
    "overlay reset",
    "overlay resize",
    "overlay restore",
    "remove",
    "rename",
    "update",
}


def words(verb: str, source: Path, scratch: Path) -> list[str]:
    return [
        *verb.split(),
        *(word.format(source=source, scratch=scratch) for word in WITH_SOURCE[verb]),
    ]


@pytest.fixture(params=sorted(set(WITH_SOURCE) & set(VERBS)))
def verb(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_verb_is_tried() -> None:
    assert set(VERBS) - {"devices", "tools"} == set(WITH_SOURCE) & set(VERBS)


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(name: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split(), option]) == ExitStatus.DONE
    out, err = capsys.readouterr()
    assert out.startswith(f"Usage: liveos {name} ")
    assert "--json" in out
    assert err == ""


@pytest.mark.parametrize("name", VERBS)
def test_unknown_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split(), "--nonsense"]) == ExitStatus.USAGE
    assert "--nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(CHANGING))
def test_what_changes_something_can_be_tried_dry_and_agreed_to(name: str) -> None:
    assert {"--dry-run", "--yes"} <= options(COMMANDS[name])


def test_no_source(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(verb.split()) == ExitStatus.USAGE
    assert "see liveos" in capsys.readouterr().err


def test_missing_source(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing.iso"
    assert main(words(verb, missing, tmp_path)) == ExitStatus.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    # litd shows first what it runs.
    message, hint, *_ = [line for line in err.splitlines() if not line.startswith("liveos install")]
    assert str(missing) in message
    assert hint.startswith("hint: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("reader", ["inspect", "install", "list"])
@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 70000, b"\x7fELF" * 5000])
def test_a_source_that_is_nothing_known(
    reader: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "source.img"
    source.write_bytes(content)
    assert main(words(reader, source, tmp_path)) == ExitStatus.UNSUPPORTED
    out, err = capsys.readouterr()
    assert out == ""
    assert str(source) in err
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("file_reader", sorted({*WITH_SOURCE} & {*VERBS} - {"inspect", "list"}))
def test_a_directory_where_a_file_is_wanted(
    file_reader: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "directory"
    source.mkdir()
    assert main(words(file_reader, source, tmp_path)) in {ExitStatus.USAGE, ExitStatus.UNSUPPORTED}
    assert "directory" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("option", ["--json", "-q", "-v", "--no-color", "--progress=lines"])
def test_shared_options_stand_before_the_verb_and_after_it(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([option, "tools", "--check", "install"]) in {0, 5}
    before = capsys.readouterr().out
    assert main(["tools", "--check", "install", option]) in {0, 5}
    assert capsys.readouterr().out == before


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--size", "4GB"),
        ("--overlay", "plenty"),
        ("--overlay-kind", "magic"),
        ("--timeout", "-1"),
        ("--kernel-args", "a 'b"),
    ],
)
def test_install_refuses_words_that_make_no_request(
    option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["install", "a.iso", str(tmp_path / "b.img"), option, value]
    assert main(line) == ExitStatus.USAGE
    err = capsys.readouterr().err
    assert "hint: " in err
    assert list(tmp_path.iterdir()) == []
