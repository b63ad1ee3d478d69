# SPDX-License-Identifier: Apache-2.0
"""Many small things to ask of one guest, each by itself: a boot costs more than all of them."""

import fcntl
import gzip
import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from tests.data.snapshot_cases import written_pattern
from tests.vm.snapshot_guest import LIBRARY, GuestResult, run_guest

# files FILE: the sums of everything below mnt; tidy: take away what a failed errand left.
_MORE = r"""
files() { (cd mnt; find . -type f | sort | xargs sha256sum) >$1; }
tidy() {
    umount mnt 2>/dev/null; dmsetup remove_all
    losetup -a | cut -d: -f1 | while read device; do losetup -d $device; done
}
"""
_WRITES_SIZE = 4 << 20
T = TypeVar("T")


@dataclass
class Errands:
    """Scripts by name, with the files that they need."""

    scripts: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, bytes] = field(default_factory=dict)

    def add(self, name: str, script: str, **files: bytes) -> None:
        """A script that leaves its results in ``$d``; its files have the names of the words.

        Files go packed, for most are full of zeros and a guest has little memory.
        """
        for file, content in files.items():
            self.inputs[f"{name}.{file}"] = gzip.compress(content, 1)
        unpack = [f"zcat in/{name}.{file} >{file}" for file in files]
        self.scripts[name] = "\n".join([*unpack, script])

    def run(self, suite: str, *, seconds: int = 900) -> GuestResult:
        """All of them in one guest; what one does wrong is for `results_of` to say."""
        cases = {
            f"case-{name}": f"{LIBRARY}{_MORE}\nset -ex\nd=out/{name}\n{script}\n".encode()
            for name, script in self.scripts.items()
        }
        writes = {"writes": written_pattern()[:_WRITES_SIZE]}
        return run_guest(
            suite, "\n".join(self._lines()), self.inputs | cases | writes, seconds=seconds
        )

    def _lines(self) -> Iterator[str]:
        yield f"{_MORE}\nmkdir mnt"
        for name in self.scripts:
            yield f"echo {name} $(cut -d' ' -f1 /proc/uptime) >>out/times; mkdir out/{name}"
            yield f"sh in/case-{name} >log-now 2>&1 || {{ cp log-now out/{name}/failed; tidy; }}"
            yield "rm -f o c image"
        yield "echo end $(cut -d' ' -f1 /proc/uptime) >>out/times"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one errand left behind."""

    files: dict[str, bytes]

    def text(self, name: str) -> str:
        return self.files[name].decode().strip()

    def tree(self, name: str) -> dict[str, str]:
        """Paths and sums, as `files` writes them."""
        lines = [line.split("  ", 1) for line in self.text(name).splitlines()]
        return {path: digest for digest, path in lines}


def answer_of(result: GuestResult, name: str) -> Answer:
    """The answer to one errand, which must not have failed."""
    prefix = f"{name}/"
    files = {path.removeprefix(prefix): data for path, data in result.files.items()
             if path.startswith(prefix)}  # fmt: skip
    failed = files.get("failed", b"").decode(errors="replace")
    assert not failed, f"{failed[-3000:]}\n{result.text('dmesg')[-1500:]}"
    return Answer(files)


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[], T]) -> T:
    """What ``make`` gives, made by one of the processes that run these tests side by side.

    (With pytest 9.2, pytest-xdist 3.8 does not keep the tests of an ``xdist_group`` together.)
    """
    home = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        home = home.parent
    kept = home / name
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept.exists():
            given: T = pickle.loads(kept.read_bytes())
            return given
        made = make()
        kept.write_bytes(pickle.dumps(made))
    return made
