# SPDX-License-Identifier: Apache-2.0
"""Write the completion files from what the program prints: ``make completions``."""

import os
import subprocess
import sys
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent.parent / "completions"


def main() -> None:
    DIRECTORY.mkdir(exist_ok=True)
    for shell in ("bash", "zsh", "fish"):
        environment = {**os.environ, "_LIVEOS_COMPLETE": f"source_{shell}"}
        line = [sys.executable, "-m", "liveos"]
        text = subprocess.run(line, capture_output=True, env=environment, check=True).stdout
        # zsh looks for #compdef in the first line.
        (DIRECTORY / f"liveos.{shell}").write_bytes(text.strip() + b"\n")
        print(f"wrote completions/liveos.{shell}")


if __name__ == "__main__":
    main()
