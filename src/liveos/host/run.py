# SPDX-License-Identifier: Apache-2.0
"""The only module that starts programs.

Every program runs with a minimal environment and ``LC_ALL=C.UTF-8``, without a terminal on its
standard input, and every failure names the line that can be run by hand.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from liveos.errors import ToolFailedError, ToolMissingError
from liveos.host.tools import Command, Tool

# Tools of the administrator live in sbin, which an ordinary user's PATH may lack.
_SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program that ended well has said."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode("utf-8", "replace")


def find(tool: Tool) -> str | None:
    """The path of a tool's program, or None."""
    for program in tool.programs:
        path = shutil.which(program, path=_SEARCH_PATH)
        if path:
            return path
    return None


def require(tool: Tool) -> str:
    """The path of a tool's program; `ToolMissingError` names the packages that bring it."""
    path = find(tool)
    if path is None:
        raise ToolMissingError(f"{tool.programs[0]} is not installed", hint=tool.how_to_install)
    return path


def run(command: Command, *, stdin: bytes = b"") -> Completed:
    """Run a command to its end with ``stdin`` as its input.

    :raises ToolMissingError: the program is not installed.
    :raises ToolFailedError: it ended with a status that the command does not accept.
    """
    argv = [require(command.tool), *command.arguments]
    done = subprocess.run(
        argv, input=stdin, capture_output=True, check=False, env=_environment(command)
    )
    _judge(command, done.returncode, done.stderr or done.stdout)
    return Completed(done.returncode, done.stdout, done.stderr)


@contextmanager
def feed(command: Command) -> Iterator[IO[bytes]]:
    """Run a command whose standard input is written by the body of the ``with`` statement.

    When the program ends early, what it said of the reason is raised, not the broken pipe.
    """
    with _child(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            yield process.stdin
        with suppress(BrokenPipeError):
            process.stdin.close()


@contextmanager
def drain(command: Command) -> Iterator[IO[bytes]]:
    """Run a command whose standard output is read by the body of the ``with`` statement."""
    with _child(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout


@contextmanager
def background(command: Command, *, log: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that runs beside the body of the ``with`` statement and is ended after it."""
    argv = [require(command.tool), *command.arguments]
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(command)
    )
    try:
        yield process
    finally:
        _end(process)


def interact(command: Command) -> None:
    """Run a command that talks with the person on this terminal itself, to its end."""
    argv = [require(command.tool), *command.arguments]
    process = subprocess.Popen(argv, env=_environment(command))
    try:
        _judge(command, process.wait(), b"")
    finally:
        _end(process)


@contextmanager
def _child(command: Command, *, stdin: int, stdout: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A child that is judged when the body ends well, and ended, not left behind, when not."""
    argv = [require(command.tool), *command.arguments]
    # Standard error goes to a file: a full pipe that nobody reads would stop the child.
    with os.fdopen(os.memfd_create("stderr"), "w+b") as stderr:
        process = subprocess.Popen(
            argv, stdin=stdin, stdout=stdout, stderr=stderr, env=_environment(command)
        )
        try:
            yield process
            status = process.wait()
            stderr.seek(0)
            _judge(command, status, stderr.read())
        finally:
            _end(process)
            for pipe in filter(None, (process.stdin, process.stdout)):
                with suppress(BrokenPipeError):
                    pipe.close()


def _judge(command: Command, status: int, said: bytes) -> None:
    if status in command.accepted:
        return
    words = said.decode("utf-8", "replace").strip().splitlines()
    reason = f": {words[-1]}" if words else ""
    raise ToolFailedError(
        f"{command.tool.programs[0]} ended with status {status}{reason}",
        hint=f"the command was: {command}",
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment(command: Command) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("HOME", "TMPDIR", "USER") if name in os.environ}
    return {"PATH": _SEARCH_PATH, "LC_ALL": "C.UTF-8", **kept, **dict(command.environment)}


__all__ = ["Completed", "background", "drain", "feed", "find", "interact", "require", "run"]
