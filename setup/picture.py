# SPDX-License-Identifier: Apache-2.0
"""Record a run of the demonstration as the README's picture: ``make picture``.

The picture shows what was printed, in its colours; long runs of progress lines are cut, and the cut
says how many lines it took.
"""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

CHECKOUT = Path(__file__).resolve().parent.parent
PICTURE = CHECKOUT / "docs" / "demo.svg"
COLUMNS = 96
KEPT = 3  # lines of progress that stay before and after a cut

_PROGRESS = re.compile(r"(\[\d+/\d+\]|    \S+ \S+ of ) ")


def main() -> int:
    settings = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    line = [sys.executable, str(CHECKOUT / "setup" / "demo.py"), *sys.argv[1:]]
    recorded: list[str] = []
    with subprocess.Popen(
        line,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        for printed in process.stdout:
            print(printed, end="", flush=True)
            recorded.append(printed.rstrip())
    if process.returncode == 0:
        draw(cut_progress(recorded))
    return process.returncode


def cut_progress(lines: list[str]) -> list[str]:
    """The lines, with the middle of each long run of progress replaced by its number."""
    kept: list[str] = []
    run: list[str] = []
    for line in [*lines, ""]:
        if _PROGRESS.match(line):
            run.append(line)
            continue
        middle = len(run) - 2 * KEPT
        kept += [*run[:KEPT], f"  … {middle} lines …", *run[-KEPT:]] if middle > 1 else run
        run = []
        kept.append(line)
    return kept


def draw(lines: list[str]) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=True)
    PICTURE.parent.mkdir(exist_ok=True)
    console.save_svg(str(PICTURE), title="make demo")
    print(f"wrote {PICTURE.relative_to(CHECKOUT)}")


if __name__ == "__main__":
    sys.exit(main())
