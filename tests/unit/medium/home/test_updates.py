# SPDX-License-Identifier: Apache-2.0
"""The files that dracut copies into the root: what they name must be among them."""

import re
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from liveos.medium.home.updates import update_files

FILES = {file.path: file.text for file in update_files()}
UNITS = [path for path in FILES if path.endswith((".service", ".conf"))]


def test_nothing_goes_into_the_image() -> None:
    """Only /run is bound from the machine into the root, and so comes into no overlay."""
    assert all(path.startswith("run/") for path in FILES)


def test_the_script_is_one() -> None:
    script = FILES["run/liveos-storage.sh"]
    subprocess.run(["/bin/sh", "-n"], input=script.encode(), check=True)


@pytest.mark.parametrize("path", UNITS)
def test_units_name_what_is_there(path: str) -> None:
    text = FILES[path]
    for name in re.findall(r"^ExecSt\w+=/bin/sh (/\S+)", text, re.MULTILINE):
        assert name.removeprefix("/") in FILES
    for unit in re.findall(r"^Wants=(.*)", text, re.MULTILINE):
        assert f"run/systemd/system/{unit}" in FILES


@pytest.mark.parametrize("which", ["home", "swap"])
def test_a_unit_goes_by_its_word_alone(which: str) -> None:
    """All images of a stick have the files; only some have the word."""
    unit = ConfigParser(strict=False, interpolation=None)
    unit.read_string(FILES[f"run/systemd/system/liveos-{which}.service"])
    assert unit["Unit"]["ConditionKernelCommandLine"] == f"liveos.{which}"
    assert unit["Service"]["ExecStart"].split()[-2:] == [which, "start"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ro liveos.home=/a/home.img quiet", "/a/home.img"),
        ("liveos.home=/a liveos.home=UUID=1-2", "UUID=1-2"),
        ("xliveos.home=/a liveos.homes=/b", ""),
        ("liveos.home=/[a-z]*", "/[a-z]*"),
    ],
)
def test_the_word_on_the_kernel_line(line: str, expected: str, tmp_path: Path) -> None:
    """The last one wins, and nothing in it is a pattern."""
    (tmp_path / "cmdline").write_text(f"{line}\n")
    script = FILES["run/liveos-storage.sh"].replace("/proc/cmdline", f"{tmp_path}/cmdline")
    body = script.replace('main "$@"', "word liveos.home")
    done = subprocess.run(["/bin/sh"], input=body, check=True, capture_output=True, text=True)
    assert done.stdout == f"{expected}\n"
