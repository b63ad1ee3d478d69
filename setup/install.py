# SPDX-License-Identifier: Apache-2.0
"""Install the system packages of ``packages.toml``: only those that are missing.

usage: python3 setup/install.py PURPOSE...     (setup, run, images, oracles)

Stands on the standard library alone, because it runs before anything is installed.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

PACKAGES = Path(__file__).with_name("packages.toml")
PROOF_OF_FAMILY = {"debian": "apt-get", "fedora": "dnf"}


def main(purposes: list[str]) -> int:
    declared = tomllib.loads(PACKAGES.read_text())
    if not purposes or not set(purposes) <= set(declared):
        return fail(f"usage: {sys.argv[0]} PURPOSE...  where PURPOSE is {', '.join(declared)}")
    family = next((name for name, tool in PROOF_OF_FAMILY.items() if shutil.which(tool)), None)
    if family is None:
        return fail("neither apt-get nor dnf is here; install what setup/packages.toml lists")
    wanted = sorted(
        {
            package[family]
            for purpose in purposes
            for package in declared[purpose]
            if family in package
        }
    )
    missing = missing_debian(wanted) if family == "debian" else missing_fedora(wanted)
    if not missing:
        print(f"system packages: all {len(wanted)} are installed")
        return 0
    print(f"system packages: installing {len(missing)} of {len(wanted)}: {' '.join(missing)}")
    return install(family, missing)


def missing_debian(wanted: list[str]) -> list[str]:
    # ask for every name at once; those that dpkg has never heard of are missing in its answer
    asked = ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n", *wanted]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[1] for line in answer.splitlines() if line.startswith("installed ")}
    return [name for name in wanted if name not in installed]


def missing_fedora(wanted: list[str]) -> list[str]:
    def is_missing(name: str) -> bool:
        asked = ["rpm", "--query", "--quiet", "--whatprovides", name]
        return subprocess.run(asked, capture_output=True, check=False).returncode != 0

    return [name for name in wanted if is_missing(name)]


def install(family: str, missing: list[str]) -> int:
    if family == "debian":
        lines = [
            ["apt-get", "update", "--quiet=2"],
            ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", *missing],
        ]
    else:
        lines = [["dnf", "install", "--assumeyes", "--setopt=install_weak_deps=False", *missing]]
    as_root = privilege()
    if as_root is None:
        return fail("not root, and no sudo; run as root:\n" + "\n".join(map(shlex.join, lines)))
    for line in lines:
        status = run([*as_root, "env", "DEBIAN_FRONTEND=noninteractive", *line])
        if status:
            return status
    return 0


def privilege() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    return ["sudo"] if shutil.which("sudo") else None


def run(line: list[str]) -> int:
    print(f"+ {shlex.join(line)}", flush=True)
    return subprocess.run(line, stdin=subprocess.DEVNULL, check=False).returncode


def fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
