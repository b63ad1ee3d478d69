# SPDX-License-Identifier: Apache-2.0
"""Freezing, by a made-up kernel: who lets a filesystem go, and when.

What the real kernel does of it is shown in tests/vm/test_live.py.
"""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from liveos.errors import LiveosError, NotPermittedError
from liveos.host.freeze import frozen

FREEZE, THAW = 0xC0045877, 0xC0045878  # linux/fs.h


class Kernel:
    """The ioctls of a filesystem whose state is the file ``frozen``: processes share it."""

    def __init__(self, directory: Path) -> None:
        self.mark = directory / "frozen"
        self.thawed_by = directory / "thawed-by"

    def ioctl(self, _descriptor: int, request: int, _argument: int) -> int:
        if request == FREEZE:
            self.mark.touch(exist_ok=False)
            return 0
        assert request == THAW
        try:
            self.mark.unlink()
        except FileNotFoundError:
            raise OSError(errno.EINVAL, "not frozen") from None
        self.thawed_by.write_text(str(os.getpid()))
        return 0


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    # linux/fs.h: _IOWR('X', 119, int), where thawing takes and gives no more than freezing.
    made = Kernel(tmp_path)

    def ioctl(descriptor: int, request: int, argument: int = 0) -> int:
        return made.ioctl(descriptor, request, argument)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    return made


def test_it_is_frozen_during_the_body(kernel: Kernel, tmp_path: Path) -> None:
    with frozen(tmp_path, 60):
        assert kernel.mark.exists()
    assert not kernel.mark.exists()
    assert kernel.thawed_by.read_text() == str(os.getpid())


def test_an_error_lets_it_go(kernel: Kernel, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), frozen(tmp_path, 60):
        raise ZeroDivisionError
    assert not kernel.mark.exists()


def test_who_takes_too_long_is_told(kernel: Kernel, tmp_path: Path) -> None:
    """The guard has let it go: what was read may not belong together."""

    def work() -> None:
        while kernel.mark.exists():
            os.sched_yield()

    with pytest.raises(LiveosError, match="too short"), frozen(tmp_path, 0.05):
        work()
    assert kernel.thawed_by.read_text() != str(os.getpid())


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_that_dies_leaves_nothing_frozen(kernel: Kernel, tmp_path: Path) -> None:
    process = os.fork()
    if not process:
        with frozen(tmp_path, 600):
            os._exit(7)
    assert os.waitpid(process, 0)[1] == 7 << 8
    while kernel.mark.exists():
        os.sched_yield()


def test_only_root_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: int) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(fcntl, "ioctl", denied)
    with pytest.raises(NotPermittedError, match="may not be frozen"), frozen(tmp_path, 60):
        pytest.fail("the body must not run")


def test_not_every_filesystem_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: int) -> int:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "ioctl", unsupported)
    with pytest.raises(LiveosError, match="cannot be kept still"), frozen(tmp_path, 60):
        pytest.fail("the body must not run")
