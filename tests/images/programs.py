# SPDX-License-Identifier: Apache-2.0
"""Running other programs: their output goes to a log, their failure names that log."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PACKAGES = {
    "mmdebstrap": "mmdebstrap",
    "mksquashfs": "squashfs-tools",
    "unsquashfs": "squashfs-tools",
    "xorriso": "xorriso",
    "mkfs.fat": "dosfstools",
    "mcopy": "mtools",
    "implantisomd5": "isomd5sum",
    "checkisomd5": "isomd5sum",
    "blkid": "util-linux",
}
"""Programs that a build needs, and the Debian package of each."""
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class BuildError(Exception):
    """An image could not be built; the message says what failed and where to read on."""


def require_programs() -> None:
    """Say at once what is missing, before minutes of work."""
    missing = {package for name, package in PACKAGES.items() if not _is_there(name)}
    if not KEYRING.exists():
        missing.add("debian-archive-keyring")
    if missing:
        raise BuildError(f"missing packages: {' '.join(sorted(missing))}")


def say(message: str) -> None:
    """Report progress."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


class Log:
    """A file that collects the output of the programs of one build."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(
        self,
        argv: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run a program to its end; its output goes to the log."""
        with self.path.open("ab") as log:
            log.write(f"\n$ {shlex.join(map(str, argv))}\n".encode())
            log.flush()
            result = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(environment),
                check=False,
            )
        if result.returncode != 0:
            raise BuildError(
                f"{argv[0]} failed with status {result.returncode}; its output is in {self.path}"
            )

    def output(self, argv: Sequence[str | Path]) -> str:
        """Run a program and return what it printed on stdout; its stderr goes to the log."""
        with self.path.open("ab") as log:
            result = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(),
                text=True,
                check=False,
            )
        if result.returncode != 0:
            raise BuildError(
                f"{argv[0]} failed with status {result.returncode}; its output is in {self.path}"
            )
        return result.stdout


def _environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make the output of every program the same for everyone."""
    return {
        **os.environ,
        "PATH": _path(),
        "LC_ALL": "C.UTF-8",
        "MTOOLS_SKIP_CHECK": "1",
        **(extra or {}),
    }


def _is_there(program: str) -> bool:
    return shutil.which(program, path=_path()) is not None


def _path() -> str:
    """Add the directories of system programs: an ordinary user's PATH may lack them."""
    return os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
