# SPDX-License-Identifier: Apache-2.0
"""A mounted filesystem kept still while it is copied: everything on it waits that wants to write.

FIFREEZE and FITHAW are those of linux/fs.h. The filesystem is frozen as it would be for a snapshot:
what was written is on its device, its journal is empty.
"""

import fcntl
import os
import select
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from liveos.errors import LiveosError, NotPermittedError

_FREEZE = 0xC0045877  # _IOWR('X', 119, int)
_THAW = 0xC0045878


@contextmanager
def frozen(mount: Path, seconds: float) -> Iterator[None]:
    """No write comes through to the filesystem at ``mount`` during the body.

    A process beside this one ends it when this one dies, and after ``seconds`` at the latest: a
    system whose root stays frozen could not even be shut down. The body must not write there.

    :raises NotPermittedError: only root may do this.
    :raises LiveosError: the filesystem cannot be frozen; or it had to be let go too early, so that
        what the body has read may not belong together.
    """
    descriptor = os.open(mount, os.O_RDONLY | os.O_CLOEXEC)
    try:
        release = _guard(descriptor, seconds)
        try:
            _freeze(descriptor, mount)
            try:
                yield
            finally:
                kept = _thaw(descriptor)
        finally:
            release()
    finally:
        os.close(descriptor)
    if not kept:
        raise LiveosError(
            f"{mount} could be kept still for {seconds:.0f} seconds only, and that was too short",
            hint="start from another medium, and name this stick as the source there",
        )


def _freeze(descriptor: int, mount: Path) -> None:
    try:
        fcntl.ioctl(descriptor, _FREEZE, 0)
    except PermissionError as error:
        raise NotPermittedError(f"{mount} may not be frozen", hint="run it as root") from error
    except OSError as error:
        raise LiveosError(
            f"{mount} cannot be kept still while it is copied: {error.strerror}",
            hint="start from another medium, and name this stick as the source there",
        ) from error


def _thaw(descriptor: int) -> bool:
    """Whether it was frozen until now."""
    try:
        fcntl.ioctl(descriptor, _THAW, 0)
    except OSError:
        return False
    return True


class _Release:
    """Ends the guard, which then has nothing to do."""

    def __init__(self, pipe: int, process: int) -> None:
        self._pipe = pipe
        self._process = process

    def __call__(self) -> None:
        os.close(self._pipe)
        os.waitpid(self._process, 0)


def _guard(descriptor: int, seconds: float) -> _Release:
    """A process that thaws when the other end of its pipe is closed, however that comes."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Of forks beside threads: this child touches nothing that a thread could hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process:
        os.close(reading)
        return _Release(writing, process)
    os.close(writing)
    with suppress(BaseException):
        select.select([reading], [], [], seconds)
        _thaw(descriptor)
    os._exit(0)
