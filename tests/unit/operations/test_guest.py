# SPDX-License-Identifier: Apache-2.0
"""A guest that is watched: what ends the waiting, and what its shell is asked."""

import re
import socket
from pathlib import Path

import pytest

from liveos.errors import UsageError
from liveos.host.luks import private_key
from liveos.operations.guests.guest import BootFailedError, Patience
from liveos.operations.guests.shell import NoAnswerError
from liveos.operations.guests.typing import typeable
from tests.unit.operations.machine_room import Process, Talk, guest, saying, silent

QUICK = Patience(boot=1.5, silence=0.5, answer=0.5, power_off=0.2)


def shell(stream: socket.socket) -> None:
    """A shell that answers every question with its command, after a prompt that starts late."""
    stream.sendall(b"\r\nroot@liveos:/# ")
    while said := stream.recv(4096):
        text = said.decode()
        stream.sendall(said.replace(b"\n", b"\r\n"))  # the terminal's echo
        for token, command in re.findall(r"n' (\w+); \{ (.*?); \} 2>&1;", text):
            answer = f"<<{token}\r\n{command}\r\n{token}>>0\r\n# "
            stream.sendall(answer.encode())


def test_a_shell_is_greeted_and_asked(tmp_path: Path) -> None:
    with guest(tmp_path, QUICK, shell=shell) as machine:
        machine.wait_for_shell()
        assert machine.ask("uname -r").text == "uname -r\n"
        machine.wait_for_boot()


@pytest.mark.parametrize(
    ("console", "why"),
    [
        (silent, "nothing has happened"),
        (saying("[ 2.0] Kernel panic - not syncing: VFS\r\n"), "the kernel gave up"),
        (saying("You are in emergency mode.\r\n"), "emergency shell"),
    ],
)
def test_a_boot_that_goes_no_further_ends_the_waiting(
    tmp_path: Path, console: Talk, why: str
) -> None:
    with (
        guest(tmp_path, QUICK, console=console) as machine,
        pytest.raises(BootFailedError, match=why),
    ):
        machine.wait_for_shell()


def test_the_reason_comes_with_the_consoles_last_words(tmp_path: Path) -> None:
    console = saying("one\r\nYou are in emergency mode.\r\n")
    with (
        guest(tmp_path, QUICK, console=console) as machine,
        pytest.raises(BootFailedError, match="last words:\none\nYou are in emergency mode"),
    ):
        machine.wait_for_shell()


def test_a_machine_that_ends_is_no_boot(tmp_path: Path) -> None:
    with (
        guest(tmp_path, QUICK, process=Process(0)) as machine,
        pytest.raises(BootFailedError, match="restarted or powered off"),
    ):
        machine.wait_for_shell()


def test_a_busy_console_does_not_wait_for_ever(tmp_path: Path) -> None:
    def spinner(stream: socket.socket) -> None:
        stream.settimeout(0.2)
        while True:
            try:
                stream.sendall(b"\r[ ***  ] A start job is running")
                if not stream.recv(64):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    with (
        guest(tmp_path, QUICK, console=spinner) as machine,
        pytest.raises(BootFailedError, match="no shell answered within 2 seconds"),
    ):
        machine.wait_for_shell()


def test_the_initramfs_question_about_the_overlay_is_answered_once(tmp_path: Path) -> None:
    heard: list[bytes] = []

    def console(stream: socket.socket) -> None:
        stream.sendall(b"Unable to find a persistent overlay\r\n Press [Enter] to continue.")
        while said := stream.recv(64):
            heard.append(said)

    with guest(tmp_path, QUICK, console=console) as machine:
        with pytest.raises(BootFailedError):
            machine.wait_for_shell()
        assert machine.overlay_prompted
    assert b"".join(heard) == b"\n"


def test_root_logs_in_on_the_console_where_no_other_shell_comes(tmp_path: Path) -> None:
    def console(stream: socket.socket) -> None:
        stream.sendall(b"Fedora 26\r\nlocalhost login: ")
        assert stream.recv(64) == b"root\n"
        shell(stream)

    with guest(tmp_path, QUICK, console=console) as machine:
        machine.wait_for_shell()
        assert machine.ask("id").text == "id\n"


def test_a_shell_that_falls_silent(tmp_path: Path) -> None:
    def once(stream: socket.socket) -> None:
        stream.sendall(b"# ")
        silent(stream)

    with guest(tmp_path, QUICK, shell=once) as machine, pytest.raises(NoAnswerError, match="id"):
        machine.ask("id")


def test_a_guest_that_will_not_go(tmp_path: Path) -> None:
    with (
        guest(tmp_path, QUICK) as machine,
        pytest.raises(BootFailedError, match="did not power off"),
    ):
        machine.power_off()


def test_everything_that_is_said_is_kept(tmp_path: Path) -> None:
    with (
        guest(tmp_path, QUICK, console=saying("Welcome\r\n")) as machine,
        pytest.raises(BootFailedError),
    ):
        machine.wait_for_shell()
    assert (tmp_path / "boot-1-serial.log").read_bytes() == b"Welcome\r\n"


QUESTION = b"Passphrase of the home: (press TAB for no echo) "


def test_a_passphrase_is_typed_once_and_kept_nowhere(tmp_path: Path) -> None:
    heard: list[bytes] = []

    def console(stream: socket.socket) -> None:
        stream.sendall(QUESTION)
        while said := stream.recv(64):
            heard.append(said)
            for byte in said:  # a terminal that echoes, in the smallest pieces
                stream.sendall(bytes([byte]))
            stream.sendall(QUESTION)

    with guest(tmp_path, QUICK, console=console, secret=b"s3cret") as machine:
        with pytest.raises(BootFailedError) as raised:
            machine.wait_for_shell()
        assert machine.asked_secret
        assert "s3cret" not in machine.console.text
    assert b"".join(heard) == b"s3cret\n"
    assert "s3cret" not in raised.value.message
    log = (tmp_path / "boot-1-serial.log").read_bytes()
    assert log == QUESTION + b"********\n" + QUESTION


def test_without_a_passphrase_nothing_is_typed(tmp_path: Path) -> None:
    heard: list[bytes] = []

    def console(stream: socket.socket) -> None:
        stream.sendall(QUESTION)
        while said := stream.recv(64):
            heard.append(said)

    with guest(tmp_path, QUICK, console=console) as machine:
        with pytest.raises(BootFailedError):
            machine.wait_for_shell()
        assert machine.asked_secret
    assert heard == []


def test_what_nobody_can_type_is_refused() -> None:
    with private_key("the key", "pässword ~".encode()) as key:
        assert typeable(key) == "pässword ~".encode()
    for secret in (b"with its line end\n", b"a\tb", b"\x7f", b"\x03"):
        with (
            private_key("the key", secret) as key,
            pytest.raises(UsageError, match="the key has a line end or another character"),
        ):
            typeable(key)
