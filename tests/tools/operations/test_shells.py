# SPDX-License-Identifier: Apache-2.0
"""Questions to real shells on real terminals, as a guest's debug shell would hear them."""

import os
import pty
import select
import socket
import subprocess
from pathlib import Path

import pytest

from liveos.operations.guests.guest import Patience
from liveos.operations.prove.observation import observe
from tests.unit.operations.machine_room import Talk, guest

pytestmark = pytest.mark.tools

PATIENCE = Patience(boot=30.0, silence=30.0, answer=20.0)


def real(*command: str) -> Talk:
    """A shell on a pseudo-terminal, bridged to the port."""

    def talk(stream: socket.socket) -> None:
        master, slave = pty.openpty()
        with subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        ) as process:
            os.close(slave)
            _bridge(stream, master)
            process.kill()
        os.close(master)

    return talk


def _bridge(stream: socket.socket, master: int) -> None:
    while True:
        for ready in select.select([stream.fileno(), master], [], [])[0]:
            if ready == stream.fileno():
                said = stream.recv(4096)
                if not said:
                    return
                os.write(master, said)
            else:
                stream.sendall(os.read(master, 4096))


@pytest.mark.parametrize("shell", [("bash", "--norc", "-i"), ("dash", "-i")], ids=lambda s: s[0])
def test_a_real_shell_answers(shell: tuple[str, ...], tmp_path: Path) -> None:
    with guest(tmp_path, PATIENCE, shell=real(*shell)) as machine:
        machine.wait_for_shell()
        assert machine.ask("uname -r").text.strip() == os.uname().release
        assert machine.ask("echo 'a  b' \"$LC_ALL\"").text == "a  b C\n"
        assert machine.ask("(exit 7)").status == 7
        many = "".join(f"{number}\n" for number in range(1, 5001))
        assert machine.ask("seq 5000").text == many
        seen = observe(machine.ask)
    assert seen.kernel == os.uname().release
    assert seen.cmdline == Path("/proc/cmdline").read_text().strip()
    assert seen.mount_at("/proc") is not None
