# SPDX-License-Identifier: Apache-2.0
"""The main job from end to end: ``make demo``, or ``make demo ISO=path``.

Inspects a live image, installs it with an overlay into an image file of a stick, and proves that
the stick boots and remembers. Each line that starts with ``$`` is the command that is run.
"""

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
# Below the checkout, where the commands are run.
RESULTS = Path("demo")
SOURCE = RESULTS / "live.iso"
STICK = RESULTS / "stick.img"
PROOF = RESULTS / "proof"
LIVEOS = ".venv/bin/liveos"
OVERLAY = "512M"
GIB = 1 << 30
ROOM = 3 * GIB  # for what is not the image: the ESP, the overlay, and air


class Clock:
    """How long each part took."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, str, float]] = []

    def run(self, what: str, made: str, line: list[str]) -> None:
        """Run a command, and note what it made; a failure ends the demonstration."""
        print(f"\n$ {shlex.join(line)}", flush=True)
        start = time.monotonic()
        status = subprocess.run(line, check=False, cwd=CHECKOUT).returncode
        if status:
            sys.exit(f"the demonstration ends here: status {status}")
        self.parts.append((what, made, time.monotonic() - start))

    def table(self) -> None:
        print("\nwhat            seconds  result")
        for what, made, seconds in self.parts:
            print(f"{what:15} {seconds:7.1f}  {made}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iso", type=Path, help="a live image; without it one is built")
    clock = Clock()
    iso = (parser.parse_args().iso or build(clock)).resolve()
    size = f"{-(-(iso.stat().st_size + ROOM) // GIB)}G"
    (CHECKOUT / RESULTS).mkdir(exist_ok=True)
    (CHECKOUT / SOURCE).unlink(missing_ok=True)
    (CHECKOUT / SOURCE).symlink_to(iso)

    clock.run("inspect", f"looked into {iso.name}", [LIVEOS, "inspect", str(SOURCE)])
    install = [LIVEOS, "install", "--size", size, "--overlay", OVERLAY, "--erase", "--yes"]
    made = f"{STICK}, with {OVERLAY} to keep changes in"
    clock.run("install", made, [*install, str(SOURCE), str(STICK)])
    prove = [LIVEOS, "prove", "--output", str(PROOF), str(STICK)]
    made = f"booted twice and remembered; logs and screenshots in {PROOF}/"
    clock.run("prove", made, prove)
    clock.table()


def build(clock: Clock) -> Path:
    """The bookworm image of the tests: built in a few minutes, or found in the cache."""
    line = [".venv/bin/python", "-m", "tests.images", "nested"]
    clock.run("build", "the live image of Debian bookworm, cached", line)
    found = subprocess.run([*line, "--list"], check=True, cwd=CHECKOUT, stdout=subprocess.PIPE)
    return Path(found.stdout.decode().split("\t")[2].strip())


if __name__ == "__main__":
    main()
