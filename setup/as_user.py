# SPDX-License-Identifier: Apache-2.0
"""Run a command of this checkout as an ordinary user: root becomes ``nobody`` for it.

usage: python3 setup/as_user.py COMMAND...

The tests show that liveos needs no privileges, so they must not have any, in a container neither.
An ordinary user's command runs as it is. For root it runs as ``nobody`` with a home of its own; if
``nobody`` may not read this checkout (it lies in a private directory), in a copy that it may read.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
USER = "nobody"


def main(command: list[str]) -> int:
    if not command:
        print("usage: python3 setup/as_user.py COMMAND...", file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        return subprocess.run(command, check=False, cwd=CHECKOUT).returncode
    with tempfile.TemporaryDirectory(prefix="liveos-as-user-") as scratch:
        Path(scratch).chmod(0o755)
        place = CHECKOUT if is_readable() else copy_checkout(Path(scratch, "checkout"))
        home = Path(scratch, "home")
        home.mkdir()
        shutil.chown(home, USER)
        return as_nobody(command, place, environment(home, place)).returncode


def is_readable() -> bool:
    """Whether ``nobody`` can use this checkout, and find it by its name."""
    question = ["test", "-r", str(CHECKOUT / "pyproject.toml")]
    return as_nobody(question, CHECKOUT, dict(os.environ)).returncode == 0


def copy_checkout(place: Path) -> Path:
    print(f"{USER} may not read {CHECKOUT}: working in a copy, {place}", file=sys.stderr)
    ignored = shutil.ignore_patterns(".git", "demo", "*_cache")
    shutil.copytree(CHECKOUT, place, symlinks=True, ignore=ignored)
    return place


def environment(home: Path, place: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HOME": str(home),
        "USER": USER,
        "LOGNAME": USER,
        "HYPOTHESIS_STORAGE_DIRECTORY": str(home / "hypothesis"),
        "PYTHONPATH": str(place / "src"),
    }


def as_nobody(
    command: list[str], place: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        check=False,
        cwd=place,
        env=environment,
        user=USER,
        group=pwd.getpwnam(USER).pw_gid,
        extra_groups=groups_for_kvm(),
    )


def groups_for_kvm() -> list[int]:
    """Virtual machines are quicker with KVM, which a group of its own may use."""
    kvm = Path("/dev/kvm")
    return [kvm.stat().st_gid] if kvm.exists() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
