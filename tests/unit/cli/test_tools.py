# SPDX-License-Identifier: Apache-2.0
"""``liveos tools`` on machines that have everything, nothing, or old things."""

import json
import tomllib
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.host import inventory
from liveos.host.inventory import DataFile, Presence, look_for_files
from liveos.host.tools import ALL_TOOLS, Tool

CHECKOUT = Path(__file__).parents[3]


def pretend(monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    def look_for(tool: Tool) -> Presence:
        return Presence(tool, version and f"/usr/bin/{tool.name}", version)

    def look_for_files() -> tuple[DataFile, ...]:
        return (DataFile("firmware", ("prove",), "f", "d", Path("/f") if version else None),)

    monkeypatch.setattr(inventory, "look_for", look_for)
    monkeypatch.setattr(inventory, "look_for_files", look_for_files)


@pytest.mark.parametrize(
    ("version", "state", "status"),
    [("99.0", "present", ExitStatus.DONE), (None, "missing", ExitStatus.TOOL_MISSING)],
)
def test_check_decides_the_status(
    version: str | None,
    state: str,
    status: ExitStatus,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pretend(monkeypatch, version)
    assert main(["tools"]) == ExitStatus.DONE
    assert main(["tools", "--check", "install"]) == status
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("sfdisk") and state in line for line in lines)


def test_too_old_is_as_bad_as_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, "0.1")
    assert main(["tools", "--check", "install"]) == ExitStatus.TOOL_MISSING
    assert "too old" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--json", "tools"], ["tools", "--json"]], ids=" ".join)
def test_json_has_every_program(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, None)
    assert main(words) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "liveos/tools/1"
    assert [tool["name"] for tool in document["tools"]] == [tool.name for tool in ALL_TOOLS]
    assert not any(tool["usable"] for tool in document["tools"])
    assert [file["path"] for file in document["files"]] == [None]


def test_check_of_an_unknown_verb_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools", "--check", "nothing"]) == ExitStatus.USAGE
    assert "install" in capsys.readouterr().err


@pytest.mark.parametrize("family", ["debian", "fedora"])
def test_the_set_up_installs_what_the_program_needs(family: str) -> None:
    """One list for the set-up, one declaration in the program: the first covers the second."""
    listed = tomllib.loads((CHECKOUT / "setup" / "packages.toml").read_text())
    installed = {package.get(family) for purpose in listed.values() for package in purpose}
    brought = (*ALL_TOOLS, *look_for_files())
    needed = {name for each in brought for name in getattr(each, family).split()}
    assert needed <= installed
