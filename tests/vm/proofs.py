# SPDX-License-Identifier: Apache-2.0
"""Sticks to prove, and what a guest itself reports, to judge our judgement by."""

import hashlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest

from liveos.host.machine.firmware import FirmwareKind
from liveos.host.machine.qemu import Attachment
from liveos.operations.guests.guest import Guest
from liveos.operations.prove.proof import BootReport, Proof, Showing
from liveos.operations.prove.proving import ProveRequest, prove
from tests.images.cache import cached
from tests.images.recipes import Recipe

QUIT_QEMU = b"\x01x"
"""What a person types on a terminal that QEMU shares with a guest."""


def iso_of(recipe: Recipe) -> Path:
    """The recipe's ISO; without it nothing is shown, so the test fails."""
    image = cached(recipe)
    if not image.exists:
        pytest.fail(f"{image.iso} is not there: make images")
    return image.iso


def install(recipe: Recipe, stick: Path, *options: str) -> Path:
    """A stick image with the recipe's ISO on it, made by the program as users call it."""
    liveos(*("install", "--yes", "--size", "1G", *options), iso_of(recipe), stick)
    return stick


def liveos(*arguments: str | Path, status: int = 0) -> str:
    """Run the program; what it printed."""
    command = [sys.executable, "-m", "liveos", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def boot_on_terminal(medium: Path, *options: str, seconds: int = 600) -> str:
    """What ``liveos boot`` shows on its terminal until the guest has reported; then it is ended."""
    command = [sys.executable, "-m", "liveos", "boot", "--console", "serial", *options, str(medium)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        alarm = threading.Timer(seconds, process.terminate)
        alarm.start()
        said = b""
        while b"LIVEOS-REPORT end" not in said and (line := process.stdout.readline()):
            said += line
        alarm.cancel()
        process.stdin.write(QUIT_QEMU)
        process.stdin.close()
        process.stdout.read()
        assert process.wait(60) == 0
    return said.decode("utf-8", "replace")


def prove_medium(
    medium: Path,
    output: Path,
    firmware: FirmwareKind = FirmwareKind.BIOS,
    attachment: Attachment | None = None,
    showing: Showing | None = None,
) -> Proof:
    """A proof of what is asked for, with the logs in ``output``."""
    request = ProveRequest(firmware=firmware, attachment=attachment, output=output, showing=showing)
    with patch.object(Guest, "power_off", _power_off_after_the_report):
        return prove(medium, request)


_power_off = Guest.power_off


def _power_off_after_the_report(guest: Guest, seconds: float = 240) -> None:
    """The images report when their boot has ended, which is not before a proof is done asking."""
    deadline = time.monotonic() + seconds
    while "LIVEOS-REPORT end" not in guest.console.text and time.monotonic() < deadline:
        guest.listen(0.5)
    _power_off(guest)


def report_of(boot: BootReport) -> dict[str, str]:
    """What the unit inside the test images says of the boot (tests.images)."""
    assert boot.serial_log is not None
    return read_report(boot.serial_log.read_text("utf-8", "replace"))


def read_report(console: str) -> dict[str, str]:
    """The report in what a console has said."""
    said = console.replace("\r", "")
    match = re.search(r"LIVEOS-REPORT begin\n(.*?)LIVEOS-REPORT end", said, re.DOTALL)
    assert match, said[-3000:]
    pairs = (line.partition("=") for line in match[1].splitlines() if "=" in line)
    return {name.rpartition(" ")[2]: value for name, _, value in pairs}


def digest(path: Path) -> str:
    """The file's SHA-256, to show that nothing has been written to it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wait_until(happened: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def programs_that_name(path: Path) -> list[str]:
    """The command lines of running programs (but for Python's) in which a path occurs."""
    lines = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(place.read_text("utf-8", "replace").replace("\0", " "))
    return [line for line in lines if str(path) in line and "python" not in line.split()[0]]
