# SPDX-License-Identifier: Apache-2.0
"""The host's end of a guest's serial port."""

import select
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from liveos.host.machine.qmp import connect

_KEPT = 1 << 18  # characters; a guest that never stops talking must not fill the memory
_MASK = b"********"


class SerialLine:
    """What a guest has said on a port (its last 256 Ki characters), and a way to answer.

    All of it goes to the file ``log`` as it comes.
    ``heard_at`` is when it spoke last, on the monotonic clock; ``open`` ends with the guest.
    """

    def __init__(self, path: Path, log: Path) -> None:
        self.text = ""
        self.heard_at = time.monotonic()
        self.open = True
        self._log = log.open("wb", buffering=0)
        self._secret = b""
        self._held = b""
        self._socket = connect(path, within=20.0)
        self._socket.setblocking(False)  # noqa: FBT003 - the socket module's own signature

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> None:
        """Take what has arrived. Terminals end lines with CR LF; here they end with LF."""
        try:
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.open = bool(data)
        self._keep(data)
        self.heard_at = time.monotonic()
        said = data.decode("utf-8", "replace").replace("\r", "")
        self.text = (self.text + said)[-_KEPT:]
        if self._secret:
            self.text = self.text.replace(self._secret.decode("utf-8", "replace"), _MASK.decode())

    def send(self, text: str) -> None:
        """Type something; lost when the guest has gone."""
        self._socket.settimeout(10.0)
        try:
            self._socket.sendall(text.encode("utf-8", "surrogateescape"))
        except OSError:
            self.open = False
        finally:
            self._socket.setblocking(False)  # noqa: FBT003 - as above

    def send_secret(self, secret: bytes) -> None:
        """Type a line that must not be kept: where the guest echoes it, log and text have a mask.

        :param secret: without the line's end.
        """
        self._secret = secret
        self.send(secret.decode("utf-8", "surrogateescape") + "\n")

    def _keep(self, data: bytes) -> None:
        """Log what was said; the end waits, as it may be the beginning of an echoed secret."""
        said = self._held + data
        if self._secret:
            said = said.replace(self._secret, _MASK)
        held = max(0, len(self._secret) - 1) if data else 0
        self._held = said[len(said) - held :] if held else b""
        self._log.write(said[: len(said) - len(self._held)])

    def close(self) -> None:
        self._keep(b"")
        self._socket.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def listen(lines: Sequence[SerialLine], seconds: float) -> None:
    """Wait until one of the ports speaks, at most so long, and take what they said."""
    alive = [line for line in lines if line.open]
    if not alive:
        time.sleep(seconds)
        return
    for line in select.select(alive, [], [], seconds)[0]:
        line.receive()
