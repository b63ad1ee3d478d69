# SPDX-License-Identifier: Apache-2.0
"""Running programs with a clock beside them."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program: wall time, and the most memory that it or a child of it had."""

    seconds: float
    peak_memory: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """A measurement, its yardstick, and the bar that the design sets for their ratio."""

    what: str
    measured: str
    yardstick: str
    ratio: float
    bar: float

    @property
    def holds(self) -> bool:
        return self.ratio <= self.bar


def run(line: list[str]) -> Run:
    """Run a program to its end; it must succeed.

    A small process in between starts and measures it: the kernel counts the memory of whoever
    forks as the child's own. Python may keep its bytecode, as that of an installed program is
    kept: where PYTHONDONTWRITEBYTECODE is set, half of a short run would be compilation.
    """
    between = [sys.executable, "-m", "bench.measure", *line]
    kept = {name: value for name, value in os.environ.items() if name != _NO_BYTECODE}
    done = subprocess.run(between, stdout=subprocess.PIPE, check=False, env=kept)
    if done.returncode:
        raise SystemExit(f"{line} failed")
    seconds, memory = done.stdout.split()
    return Run(float(seconds), int(memory))


def _measure(line: list[str]) -> int:
    start = time.perf_counter()
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    print(time.perf_counter() - start, usage.ru_maxrss * 1024)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode


def in_turn(first: list[str], second: list[str], times: int) -> tuple[float, float]:
    """The median seconds of two programs that run in turn, so that both see the same machine."""
    pairs = [(run(first).seconds, run(second).seconds) for _ in range(times)]
    return median([one for one, _ in pairs]), median([other for _, other in pairs])


def copy_and_sync(source: Path, target: Path) -> float:
    """Seconds that ``cp`` and ``sync`` of one file take: every byte has reached the device."""
    start = time.perf_counter()
    run(["cp", "--sparse=never", "--reflink=never", str(source), str(target)])
    run(["sync", str(target)])
    return time.perf_counter() - start


def median(numbers: list[float]) -> float:
    return sorted(numbers)[len(numbers) // 2]


if __name__ == "__main__":
    sys.exit(_measure(sys.argv[1:]))
