# SPDX-License-Identifier: Apache-2.0
"""A disk with this program, its Python and the tools that it needs, for a live system that runs.

The test images have no Python, and must not: real ones get liveos from somewhere else, too. The
tree has programs of the guest's own Debian suite, and the libraries of this process, which are
made for the same Python. It is mounted at `MOUNT`; nothing is installed.
"""

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from tests.images.recipes import NESTED
from tests.vm.debian_kernel import MIRROR, cache_directory

SUITE = NESTED.suite
MOUNT = "/run/guest-python"
# dmsetup, cryptsetup and e2fsprogs are in the image itself.
PACKAGES = ("python3.11", "fdisk", "dosfstools", "mtools", "grub-common", "grub-pc-bin")
WITH_UDISKS = (*PACKAGES, "udisks2", "polkitd")
_PROGRAMS = f"{MOUNT}/usr/bin:{MOUNT}/usr/sbin:{MOUNT}/sbin:{MOUNT}/bin"

# The guest's own programs and libraries come first: they are as old as these, or newer.
PREPARE = f"""
mkdir -p {MOUNT} /usr/lib/grub
mount -t squashfs -o ro LABEL {MOUNT}
ln -sfn {MOUNT}/usr/lib/grub/i386-pc /usr/lib/grub/i386-pc
echo {MOUNT}/lib/x86_64-linux-gnu >/etc/ld.so.conf.d/zz-guest-python.conf
echo {MOUNT}/usr/lib/x86_64-linux-gnu >>/etc/ld.so.conf.d/zz-guest-python.conf
ldconfig
"""
"""``LABEL`` is the device with the disk."""


def command(*words: str) -> str:
    """A line for the guest's shell that runs the program there."""
    setting = (
        f"PATH=$PATH:{_PROGRAMS}",
        f"PYTHONHOME={MOUNT}/usr",
        f"PYTHONPATH={MOUNT}/program",
        "PYTHONDONTWRITEBYTECODE=1",
    )
    return " ".join(("env", *setting, f"{MOUNT}/usr/bin/python3.11", "-m", "liveos", *words))


def base_tree(packages: tuple[str, ...] = PACKAGES) -> Path:
    """Python and tools of the suite, fetched once; only their files, no maintainer's script ran."""
    home = cache_directory() / "guest-python"
    tree = home / f"{SUITE}-{'-'.join(packages)}.tar"
    if not tree.exists():
        home.mkdir(parents=True, exist_ok=True)
        part = tree.with_suffix(f".{os.getpid()}")
        include = f"--include={','.join(packages)}"
        mode = "root" if os.geteuid() == 0 else "unshare"
        words = ("mmdebstrap", "-q", f"--mode={mode}", "--variant=extract", include, "--format=tar")
        subprocess.run([*words, SUITE, part, MIRROR], check=True)
        part.rename(tree)
    return tree


def make_disk(
    directory: Path, packages: tuple[str, ...] = PACKAGES, libraries: tuple[str, ...] = ()
) -> Path:
    """The squashfs, with the program as it is in this checkout.

    ``libraries`` are Python distributions that it can do without.
    """
    tree, disk = directory / "guest-python", directory / "guest-python.squashfs"
    tree.mkdir()
    kinds = ("--exclude=./dev/*", "--exclude=./var/*")
    subprocess.run(["tar", "-xf", base_tree(packages), "-C", tree, *kinds], check=True)
    program = tree / "program"
    program.mkdir()
    for name in sorted(_distributions("liveos", *libraries) - {"liveos"}):
        _copy_distribution(name, program)
    source = Path(sys.modules["liveos"].__file__ or "").parent
    shutil.copytree(source, program / "liveos", ignore=shutil.ignore_patterns("__pycache__"))
    options = ("-quiet", "-no-progress", "-all-root", "-comp", "zstd", "-Xcompression-level", "3")
    subprocess.run(["mksquashfs", tree, disk, *options], check=True)
    shutil.rmtree(tree)
    return disk


def _distributions(*names: str) -> set[str]:
    """Distributions with all that they need, by the metadata that pip has left."""
    found, waiting = set[str](), [*names]
    while waiting:
        each = waiting.pop().lower().replace("_", "-")
        if each in found:
            continue
        try:
            needs = metadata.requires(each) or []
        except metadata.PackageNotFoundError:
            continue  # for other systems
        found.add(each)
        waiting += [match[0] for need in needs if "extra ==" not in need
                    if (match := re.match(r"[A-Za-z0-9._-]+", need))]  # fmt: skip
    return found


def _copy_distribution(name: str, to: Path) -> None:
    for file in metadata.files(name) or ():
        source = Path(str(file.locate()))
        if file.parts[0] == ".." or "__pycache__" in file.parts or not source.exists():
            continue
        target = to.joinpath(*file.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


if __name__ == "__main__":
    for each in (PACKAGES, WITH_UDISKS):
        print(base_tree(each))  # noqa: T201 - what was asked for
