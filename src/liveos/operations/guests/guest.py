# SPDX-License-Identifier: Apache-2.0
"""A guest that is watched while it boots and then asked about itself.

Its first serial port is the console and becomes the log; the second carries the root shell that
``systemd.debug_shell`` starts. Where that does not come (systemd before 243, no systemd), a login
as root on the console is tried, which live images usually allow without a password.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from liveos.errors import LiveosError
from liveos.host import run
from liveos.host.machine.qemu import Machine, SerialSocket, qemu_command
from liveos.host.machine.qmp import Monitor
from liveos.host.machine.serial import SerialLine, listen
from liveos.operations.guests.shell import Answer, NoAnswerError, ask
from liveos.operations.guests.signs import (
    ASKS_ABOUT_OVERLAY,
    ASKS_FOR_PASSPHRASE,
    find_trouble,
    last_words,
)

# The target, or the end of all jobs: a target stays inactive when something it requires failed.
_IS_UP = (
    "command -v systemctl >/dev/null || exit 0; systemctl is-active --quiet default.target ||"
    " case $(systemctl is-system-running) in running|degraded) ;; *) false ;; esac"
)
_PROMPT = re.compile(r"[#$] *(?:\x1b\[[0-9;?]*[A-Za-z])*$")
_LOGIN = re.compile(r"login: *$")
_PASSWORD = re.compile(r"(?:Password|password): *$")
_BETWEEN_QUESTIONS = 3.0  # seconds
_ECHO_ENDS = 1.5  # seconds; translated guests are slow


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for a whole boot, for a silent console, for an answer, and for the power-off."""

    boot: float = 900.0
    silence: float = 240.0
    answer: float = 120.0
    power_off: float = 240.0


class BootFailedError(LiveosError):
    """The guest will not get any further; the message says why."""


@dataclass(frozen=True, slots=True)
class BootFiles:
    """Where a boot's traces go: what people may keep, and sockets that go with the machine."""

    output: Path
    sockets: Path
    number: int

    @property
    def serial_log(self) -> Path:
        return self.output / f"boot-{self.number}-serial.log"

    @property
    def shell_log(self) -> Path:
        return self.output / f"boot-{self.number}-shell.log"

    @property
    def screenshot(self) -> Path:
        return self.output / f"boot-{self.number}-screen.png"

    @property
    def qemu_log(self) -> Path:
        return self.output / f"boot-{self.number}-qemu.log"

    @property
    def monitor(self) -> Path:
        return self.sockets / f"monitor-{self.number}"

    @property
    def console(self) -> Path:
        return self.sockets / f"console-{self.number}"

    @property
    def shell(self) -> Path:
        return self.sockets / f"shell-{self.number}"

    def wire(self, machine: Machine) -> Machine:
        """The machine with a monitor and two serial ports: the console, and a shell's."""
        ports = (SerialSocket(self.console), SerialSocket(self.shell))
        return replace(machine, monitor=self.monitor, serial_ports=ports)


class _Process(Protocol):
    """The part of a running program that matters here."""

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""


class Guest:
    """A running machine with its console, its shell and its monitor.

    ``secret`` is what it is told when its console asks for a passphrase, once; ``asked_secret``
    says that it did.
    """

    def __init__(
        self, files: BootFiles, process: _Process, patience: Patience, secret: bytes | None = None
    ) -> None:
        self._process = process
        self._patience = patience
        self._secret = secret
        self.started_at = time.monotonic()
        self.monitor = Monitor(files.monitor)
        self.console = SerialLine(files.console, files.serial_log)
        self._shell = SerialLine(files.shell, files.shell_log)
        self.overlay_prompted = False
        self.asked_secret = False

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_for_shell(self) -> None:
        """Until a root shell answers.

        :raises BootFailedError: the boot ended before, or nothing has moved for too long.
        """
        while not self._greet(self._shell):
            self.listen(1.0)
            self._check_progress()
            self._answer_prompts()

    def wait_for_boot(self) -> None:
        """Until systemd has reached the target that it boots to; other inits are taken as done."""
        while not self._says_yes(_IS_UP):
            if time.monotonic() - self.started_at > self._patience.boot:
                jobs = self.ask("systemctl list-jobs --no-legend | head -n 5").text.strip()
                raise BootFailedError(f"the boot did not finish; it still waits for:\n{jobs}")
            # Not more often: each question takes the time of a busy, translated processor.
            self.listen_on(_BETWEEN_QUESTIONS)
            self._answer_passphrase()

    def ask(self, command: str) -> Answer:
        """What a command prints in the guest.

        :raises NoAnswerError: it did not end in time, or the machine did.
        """
        answer = self._try(command, self._shell, self._patience.answer)
        if answer is None:
            raise NoAnswerError(f"the guest did not answer: {command}")
        return answer

    def _says_yes(self, command: str) -> bool:
        """Whether a command succeeds; no answer is a no, since a starting system is busy."""
        answer = self._try(f"({command})", self._shell, self._patience.answer)
        if answer is None and not self.running:
            raise BootFailedError("the machine restarted or powered off while it booted")
        return answer is not None and answer.status == 0

    def power_off(self) -> None:
        """Shut the guest down cleanly.

        :raises BootFailedError: it did not power off in time.
        """
        self._shell.send(" systemctl poweroff || poweroff\n")
        deadline = time.monotonic() + self._patience.power_off
        while self.running:
            self.listen(0.5)
            if time.monotonic() > deadline:
                raise BootFailedError("the guest did not power off")

    def listen(self, seconds: float) -> None:
        """Until something is said, at most so long."""
        listen((self.console, self._shell), seconds)

    def listen_on(self, seconds: float) -> None:
        """For so long, whatever is said."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.listen(left)

    def close(self) -> None:
        for end in (self.monitor, self.console, self._shell):
            end.close()

    def _greet(self, line: SerialLine) -> bool:
        """Whether a shell answers here. Nothing is typed before it has shown its prompt.

        What is typed earlier waits in the terminal, where a shell's start cuts it in two. An
        interrupt takes away whatever a former attempt has left on the line.
        """
        if not _PROMPT.search(line.text):
            return False
        line.send("\x03\n")
        self.listen(0.5)
        return self._try("stty -echo; PS1=; PS2=; export LC_ALL=C", line, 10.0) is not None

    def _try(self, command: str, line: SerialLine, seconds: float) -> Answer | None:
        question = ask(command)
        line.send(question.typed)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.running:
            self.listen(0.5)
            answer = question.find_answer(line.text)
            if answer:
                return answer
        return None

    def _check_progress(self) -> None:
        trouble = find_trouble(self.console.text)
        now = time.monotonic()
        if not self.running:
            trouble = trouble or "the machine restarted or powered off while it booted"
        elif now - self.console.heard_at > self._patience.silence:
            trouble = trouble or f"nothing has happened for {self._patience.silence:.0f} seconds"
        elif now - self.started_at > self._patience.boot:
            trouble = trouble or f"no shell answered within {self._patience.boot:.0f} seconds"
        if trouble:
            said = last_words(self.console.text)
            raise BootFailedError(f"{trouble}. The console's last words:\n{said or '(none)'}")

    def _answer_prompts(self) -> None:
        """Go on where the initramfs asks about a missing overlay, and log in where that is all."""
        said = self.console.text
        if self._answer_passphrase():
            return
        if ASKS_ABOUT_OVERLAY.search(said) and not self.overlay_prompted:
            self.overlay_prompted = True
            self.console.send("\n")
        elif _LOGIN.search(said):
            self._log_in()
        elif _PASSWORD.search(said):
            raise BootFailedError("booted, but root cannot log in without a password")

    def _answer_passphrase(self) -> bool:
        """Type the secret when it is asked for the first time; whether that was now."""
        if self.asked_secret or not ASKS_FOR_PASSPHRASE.search(self.console.text):
            return False
        self.asked_secret = True
        if self._secret is not None:
            # The question is shown a moment before the terminal's echo is switched off.
            self.listen_on(_ECHO_ENDS)
            self.console.send_secret(self._secret)
        return True

    def _log_in(self) -> None:
        """The console becomes the shell, if root may come in without a password."""
        self.console.send("root\n")
        self.listen(1.0)
        if self._greet(self.console):
            self._shell, self.console = self.console, self._shell


@contextmanager
def start(
    machine: Machine, files: BootFiles, patience: Patience, secret: bytes | None = None
) -> Iterator[Guest]:
    """A guest that lives as long as the body of the ``with`` statement.

    ``secret`` is typed when its console asks for a passphrase.

    :raises LiveosError: QEMU did not start; the message has its words.
    """
    command = qemu_command(files.wire(machine))
    with (
        files.qemu_log.open("w+b") as output,
        run.background(command, log=output) as process,
    ):
        try:
            guest = Guest(files, process, patience, secret)
        except LiveosError as error:
            said = files.qemu_log.read_text("utf-8", "replace").strip()
            raise LiveosError(f"QEMU did not start: {said or error}") from error
        try:
            yield guest
        finally:
            guest.close()
