# SPDX-License-Identifier: Apache-2.0
"""A running virtual machine's monitor: QEMU's JSON protocol (QMP) over a Unix socket.

Three commands are needed and none of them streams, so a line-by-line client is the whole job.
"""

import json
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from liveos.errors import LiveosError

_ANSWER_WITHIN = 30.0  # seconds; a screenshot of a busy emulated machine takes its time


class Monitor:
    """Says things to a running QEMU. Every call can raise `LiveosError` when QEMU is gone."""

    def __init__(self, path: Path) -> None:
        self._socket = connect(path, within=20.0)
        self._socket.settimeout(_ANSWER_WITHIN)
        self._lines = self._socket.makefile("rb")
        self._read()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
        """The ``return`` member of the answer to a command."""
        request = json.dumps({"execute": command, "arguments": arguments})
        try:
            self._socket.sendall(request.encode() + b"\n")
            answer = self._read()
        except OSError as error:
            raise LiveosError(f"the virtual machine does not answer: {error}") from error
        if "error" in answer:
            raise LiveosError(f"the virtual machine refused {command}: {answer['error']['desc']}")
        return answer["return"]

    def screenshot(self, path: Path) -> None:
        """The guest's screen as a PNG file."""
        self.execute("screendump", filename=str(path), format="png")

    def press(self, key: str) -> None:
        """Press and release a key of the guest's keyboard, by QEMU's name for it."""
        self.execute("send-key", keys=[{"type": "qcode", "data": key}])

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> dict[str, Any]:
        """The next message that is not an event."""
        while line := self._lines.readline():
            message: dict[str, Any] = json.loads(line)
            if "event" not in message:
                return message
        raise LiveosError("the virtual machine has ended")


def connect(path: Path, *, within: float) -> socket.socket:
    """A Unix socket that a program just started will listen on, within so many seconds."""
    deadline = time.monotonic() + within
    while True:
        stream = socket.socket(socket.AF_UNIX)
        try:
            stream.connect(str(path))
        except OSError as error:
            stream.close()
            if time.monotonic() > deadline:
                raise LiveosError(f"nobody listens at {path}: {error}") from error
            time.sleep(0.05)
        else:
            return stream
