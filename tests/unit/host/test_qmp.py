# SPDX-License-Identifier: Apache-2.0
"""The monitor's client against a server that plays QEMU's part of the conversation."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from liveos.errors import LiveosError
from liveos.host.machine.qmp import Monitor, connect


@contextmanager
def qemu(path: Path, *answers: dict[str, Any] | None) -> Iterator[list[dict[str, Any]]]:
    """A monitor that gives these answers, one a command; None hangs up."""
    heard: list[dict[str, Any]] = []
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def talk() -> None:
        stream, _ = server.accept()
        with stream, stream.makefile("rwb") as lines:
            lines.write(b'{"QMP": {"version": {}, "capabilities": []}}\n')
            lines.flush()
            every: tuple[dict[str, Any] | None, ...] = ({"return": {}}, *answers)
            for answer in every:
                heard.append(json.loads(lines.readline()))
                if answer is None:
                    return
                lines.write(b'{"event": "RESUME", "data": {}}\n')
                lines.write(json.dumps(answer).encode() + b"\n")
                lines.flush()

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield heard
    finally:
        thread.join(5)
        server.close()


def test_a_screenshot_is_asked_for_as_png(tmp_path: Path) -> None:
    with qemu(tmp_path / "s", {"return": {}}) as heard, Monitor(tmp_path / "s") as monitor:
        monitor.screenshot(Path("/x/a.png"))
    assert heard[0]["execute"] == "qmp_capabilities"
    assert heard[1] == {
        "execute": "screendump",
        "arguments": {"filename": "/x/a.png", "format": "png"},
    }


def test_a_refusal_carries_qemus_words(tmp_path: Path) -> None:
    refusal = {"error": {"class": "GenericError", "desc": "no console"}}
    with (
        qemu(tmp_path / "s", refusal),
        Monitor(tmp_path / "s") as monitor,
        pytest.raises(LiveosError, match="no console"),
    ):
        monitor.execute("screendump")


def test_a_machine_that_ends_is_an_error_not_a_hang(tmp_path: Path) -> None:
    with (
        qemu(tmp_path / "s", None),
        Monitor(tmp_path / "s") as monitor,
        pytest.raises(LiveosError, match="ended"),
    ):
        monitor.execute("query-status")


def test_nobody_at_the_socket(tmp_path: Path) -> None:
    with pytest.raises(LiveosError, match="nobody listens"):
        connect(tmp_path / "none", within=0.1)
