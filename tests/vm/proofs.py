# SPDX-License-Identifier: Apache-2.0
"""Sticks to prove, and what a guest itself reports, to judge our judgement by."""

import hashlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from liveos.host.luks import private_key
from liveos.host.machine.firmware import FirmwareKind
from liveos.host.machine.qemu import Attachment
from liveos.medium.model import PersistenceKind
from liveos.operations.guests.guest import Guest
from liveos.operations.prove.proof import BootReport, Proof, Showing
from liveos.operations.prove.proving import ProveRequest, prove
from tests import light_luks
from tests.images.cache import cached
from tests.images.recipes import Recipe

LINES: list[str] = []
"""What the present test has proved, for the table at the end of a run."""

QUIT_QEMU = b"\x01x"
"""What a person types on a terminal that QEMU shares with a guest."""


def iso_of(recipe: Recipe) -> Path:
    """The recipe's ISO; without it nothing is shown, so the test fails."""
    image = cached(recipe)
    if not image.exists:
        pytest.fail(f"{image.iso} is not there: make images")
    return image.iso


def install(
    recipe: Recipe, stick: Path, *options: str, secret: bytes | None = None, light: bool = True
) -> Path:
    """A stick image with the recipe's ISO on it, made by the program as users call it.

    ``secret`` goes to the program by a file, which is gone afterwards. A ``light`` home is one
    that opens with less work than that of users.
    """
    given = list(options)
    key = stick.with_suffix(".key")
    if secret is not None:
        key.write_bytes(secret)
        given += ["--key-file", str(key)]
    words = ("install", "--yes", "--size", "1G", *given, str(iso_of(recipe)), str(stick))
    _run(light_luks.command(*words) if light else _program(*words))
    key.unlink(missing_ok=True)
    return stick


def liveos(*arguments: str | Path, status: int = 0) -> str:
    """Run the program; what it printed."""
    return _run(_program(*arguments), status)


def _program(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "liveos", *map(str, arguments)]


def _run(command: Sequence[str], status: int = 0) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def boot_on_terminal(medium: Path, *options: str, seconds: int = 600) -> str:
    """What ``liveos boot`` shows on its terminal until the guest has reported; then it is ended."""
    command = _program("boot", "--console", "serial", *options, medium)
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
    secret: bytes | None = None,
    *,
    image: str | None = None,
) -> Proof:
    """A proof of what is asked for, with the logs in ``output``; ``secret`` opens a home.

    ``image`` is one of several.
    """
    request = ProveRequest(
        firmware=firmware, image=image, attachment=attachment, output=output, showing=showing
    )
    with ExitStack() as stack:
        if secret is not None:
            key = stack.enter_context(private_key("the test's key", secret))
            request = replace(request, key=key)
        stack.enter_context(patch.object(Guest, "power_off", _power_off_after_the_report))
        proof = prove(medium, request)
    if proof.proved:
        LINES.append(_line(proof))
    return proof


def _line(proof: Proof) -> str:
    """Generation, kernel, firmware, overlay, home, swap, what was shown, seconds of each boot."""
    boot = proof.boots[-1]
    seconds = [boot.seconds or 0 for boot in proof.boots]
    kind = str(boot.overlay.kind) if boot.overlay and boot.overlay.kind else "-"
    home = "-"
    if boot.home is not None:
        home = "partition" if (boot.home.store or "").startswith("partition") else "image"
        home += " LUKS" if boot.home.encrypted else " plain"
    parts = (
        *(report_of(boot)["generation"], (boot.kernel or "-").partition("-")[0].partition("+")[0]),
        *(str(proof.firmware), kind, home),
        *("swap" if boot.swap else "-", str(proof.showing)),
        f"{sum(seconds):.0f} s: " + " + ".join(f"{each:.0f}" for each in seconds),
    )
    widths = (7, 9, 12, 10, 16, 5, 10, 0)
    return " ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True))


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


_REPORTED = {
    PersistenceKind.SNAPSHOT: "snapshot",
    PersistenceKind.DIRECTORY: "overlayfs",
    PersistenceKind.IMAGE: "overlayfs",
    PersistenceKind.DIRECT: "linear",
}


def agrees_with_the_guest(proof: Proof, firmware: FirmwareKind, kind: PersistenceKind) -> None:
    """What we say of each boot is what the guest's own report says."""
    reports = [report_of(boot) for boot in proof.boots]
    assert len({report["boot_id"] for report in reports}) == len(reports)
    for boot, report in zip(proof.boots, reports, strict=True):
        assert boot.overlay is not None
        assert boot.overlay.kind is kind
        assert boot.overlay.persistent
        assert report["overlay"] == _REPORTED[kind]
        if kind is PersistenceKind.IMAGE:
            assert report["overlay_device"].startswith("/dev/loop")
        else:
            assert boot.overlay.store == report["overlay_store"]
        assert bool(report["home"]) is (boot.home is not None)
        assert report["swap"] == " ".join(boot.swap)
        assert report["firmware"] == str(firmware)
        assert report["kernel"] == boot.kernel
        assert report["cmdline"] == boot.cmdline


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
