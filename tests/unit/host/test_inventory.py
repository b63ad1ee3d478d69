# SPDX-License-Identifier: Apache-2.0
"""Programs as they are found, with made-up ones in the search path."""

from pathlib import Path

import pytest

from liveos.host import run
from liveos.host.inventory import Distribution, distribution, look_for
from liveos.host.tools import Tool

TOOL = Tool(("first", "second"), "f", "d", ("install",), "is made up", minimum="2.10")


def fake(directory: Path, name: str, script: str) -> Path:
    program = directory / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run, "_SEARCH_PATH", f"{tmp_path}:/bin:/usr/bin")
    return tmp_path


@pytest.mark.parametrize(
    ("version", "is_recent"), [("2.9.7", False), ("2.10", True), ("2.10.1", True), ("3.0", True)]
)
def test_versions_are_compared_as_numbers(path: Path, version: str, is_recent: bool) -> None:
    program = fake(path, "first", f"echo 'first (GNU x) {version} of 2020-01-02'")
    found = look_for(TOOL)
    assert (found.path, found.version, found.is_recent) == (str(program), version, is_recent)
    assert found.is_usable is is_recent


def test_a_version_may_come_on_standard_error_and_with_any_status(path: Path) -> None:
    fake(path, "second", "echo 'second 2.11' >&2; exit 3")
    assert look_for(TOOL).version == "2.11"


def test_the_first_name_wins(path: Path) -> None:
    fake(path, "second", "echo 9.9")
    fake(path, "first", "echo 2.10")
    assert look_for(TOOL).version == "2.10"


def test_a_missing_program_is_not_usable(path: Path) -> None:
    found = look_for(TOOL)
    assert (found.path, found.version, found.is_recent, found.is_usable) == (None,) * 3 + (False,)


def test_a_program_that_tells_no_version_is_usable(path: Path) -> None:
    fake(path, "first", "echo hello")
    assert look_for(TOOL).is_recent is None
    assert look_for(TOOL).is_usable


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("NAME=Debian\nID=debian\n", Distribution.DEBIAN),
        ('ID=ubuntu\nID_LIKE="debian"\n', Distribution.DEBIAN),
        ("ID=fedora\n", Distribution.FEDORA),
        ('ID="almalinux"\nID_LIKE="rhel centos fedora"\n', Distribution.FEDORA),
        ("ID=arch\n", None),
    ],
)
def test_families_come_from_os_release(tmp_path: Path, text: str, family: object) -> None:
    file = tmp_path / "os-release"
    file.write_text(text)
    assert distribution(file) is family


def test_no_os_release_is_no_family(tmp_path: Path) -> None:
    assert distribution(tmp_path / "missing") is None
