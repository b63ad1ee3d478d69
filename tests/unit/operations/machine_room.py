# SPDX-License-Identifier: Apache-2.0
"""A machine that is none: sockets where QEMU would have its monitor and serial ports."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from liveos.operations.guests.guest import BootFiles, Guest, Patience
from tests.unit.host.test_qmp import qemu

Talk = Callable[[socket.socket], None]


@dataclass
class Process:
    """A program that runs until a status is set."""

    status: int | None = None

    def poll(self) -> int | None:
        return self.status


@dataclass
class Port:
    """A serial port; ``talk`` is what the guest does with its end of it."""

    talk: Talk
    heard: bytes = b""
    threads: list[threading.Thread] = field(default_factory=list)

    @contextmanager
    def at(self, path: Path) -> Iterator[None]:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            stream, _ = server.accept()
            with stream:
                self.talk(stream)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            thread.join(10)
            server.close()


def silent(stream: socket.socket) -> None:
    """Say nothing until the other end hangs up."""
    while stream.recv(4096):
        pass


def saying(text: str) -> Talk:
    """Say something once, then nothing."""

    def talk(stream: socket.socket) -> None:
        stream.sendall(text.encode())
        silent(stream)

    return talk


@contextmanager
def guest(
    directory: Path,
    patience: Patience,
    *,
    console: Talk = silent,
    shell: Talk = silent,
    process: Process | None = None,
    secret: bytes | None = None,
) -> Iterator[Guest]:
    """A guest whose ports are played."""
    files = BootFiles(directory, directory, 1)
    with (
        qemu(files.monitor),
        Port(console).at(files.console),
        Port(shell).at(files.shell),
    ):
        made = Guest(files, process or Process(), patience, secret)
        try:
            yield made
        finally:
            made.close()
