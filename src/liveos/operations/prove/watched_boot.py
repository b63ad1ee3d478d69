# SPDX-License-Identifier: Apache-2.0
"""One boot of a machine, watched until it is up, asked about itself, and powered off cleanly."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from liveos.errors import LiveosError
from liveos.host.machine.qemu import Machine
from liveos.operations.guests.guest import BootFailedError, BootFiles, Guest, Patience, start
from liveos.operations.guests.shell import NoAnswerError
from liveos.operations.prove.home import find_home, find_swaps
from liveos.operations.prove.judgement import find_memory
from liveos.operations.prove.observation import Mount, Observation, observe
from liveos.operations.prove.proof import BootReport

Task = Callable[[Guest, Observation], list[str]]
"""What to do in the running guest; returns the problems that it found, as sentences."""


def watch_boot(
    machine: Machine,
    files: BootFiles,
    patience: Patience,
    task: Task,
    secret: bytes | None = None,
) -> tuple[BootReport, list[str]]:
    """Boot, do the task, power off; what was seen, and the problems as sentences.

    ``secret`` is typed when the console asks for a passphrase.
    """
    report, problems = BootReport(serial_log=files.serial_log), []
    with start(machine, files, patience, secret) as guest:
        try:
            report = _wait_and_look(guest, report)
            problems += _prompt_problem(guest)
            problems += task(guest, report.seen) if report.seen else []
            report = _take_screenshot(guest, files.screenshot, report)
            guest.power_off()
        except (BootFailedError, NoAnswerError) as error:
            problems.append(error.message)
            report = _take_screenshot(guest, files.screenshot, report)
    return report, problems


def _wait_and_look(guest: Guest, report: BootReport) -> BootReport:
    guest.wait_for_shell()
    guest.wait_for_boot()
    seconds = round(time.monotonic() - guest.started_at, 1)
    seen = observe(guest.ask)
    return replace(
        report,
        seconds=seconds,
        kernel=seen.kernel,
        cmdline=seen.cmdline,
        root=_describe(seen.mount_at("/")),
        overlay=find_memory(seen),
        home=find_home(seen),
        swap=find_swaps(seen),
        asked_passphrase=guest.asked_secret,
        seen=seen,
    )


def _prompt_problem(guest: Guest) -> list[str]:
    if not guest.overlay_prompted:
        return []
    return ["the initramfs stopped and asked: it did not find the overlay that its boot line names"]


def _describe(mount: Mount | None) -> str | None:
    return None if mount is None else f"{mount.filesystem} on {mount.source}"


def _take_screenshot(guest: Guest, path: Path, report: BootReport) -> BootReport:
    with suppress(LiveosError):  # a picture is welcome, and its absence is no problem of the stick
        guest.monitor.screenshot(path)
        return replace(report, screenshot=path)
    return report
