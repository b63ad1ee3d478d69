# SPDX-License-Identifier: Apache-2.0
"""Record a run of the demonstration as the README's picture: ``make picture``.

The picture shows what was printed, in its colours. What a command has printed at length is cut in
the middle, and the cut says how many lines it took.
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
HEAD, TAIL = 16, 5  # lines that stay of what a command prints

_FONTS = re.compile(r"@font-face \{.*?\}", re.DOTALL)


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
        draw(shorten(recorded))
    return process.returncode


def shorten(lines: list[str]) -> list[str]:
    """The lines, with the middle of what each command has printed replaced by its number."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("$ "):
            blocks.append([])
        blocks[-1].append(line)
    return [line for block in blocks for line in cut(block)]


def cut(block: list[str]) -> list[str]:
    middle = len(block) - HEAD - TAIL
    if middle <= 1:
        return block
    return [*block[:HEAD], "", f"  … {middle} lines …", "", *block[-TAIL:]]


def draw(lines: list[str]) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=True)
    PICTURE.parent.mkdir(exist_ok=True)
    # Any monospaced font of the reader will do: no picture should fetch one.
    PICTURE.write_text(_FONTS.sub("", console.export_svg(title="make demo")))
    print(f"wrote {PICTURE.relative_to(CHECKOUT)}")


if __name__ == "__main__":
    sys.exit(main())
