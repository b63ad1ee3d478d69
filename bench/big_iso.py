# SPDX-License-Identifier: Apache-2.0
"""A live image of the size that people install: a test image with ballast in its squashfs."""

import os
import shutil
import subprocess
from pathlib import Path

_PIECE = 1 << 24


def make(iso: Path, ballast: int, directory: Path) -> Path:
    """A copy of ``iso`` whose root holds ``ballast`` more bytes, which cannot be compressed."""
    squashfs, noise, big = (directory / name for name in ("squashfs.img", "noise", "big.iso"))
    _run("xorriso", "-osirrox", "on", "-indev", iso, "-extract", "/LiveOS/squashfs.img", squashfs)
    squashfs.chmod(0o600)
    with noise.open("wb") as file:
        for _ in range(ballast // _PIECE):
            file.write(os.urandom(_PIECE))
    _run("mksquashfs", noise, squashfs, "-no-progress", "-quiet")
    noise.unlink()
    shutil.copyfile(iso, big)
    replace = ("-boot_image", "any", "replay", "-update", squashfs, "/LiveOS/squashfs.img")
    outdev = directory / "out.iso"
    _run("xorriso", "-indev", big, "-outdev", outdev, *replace)
    _run("implantisomd5", "--force", outdev)
    outdev.replace(big)
    squashfs.unlink()
    return big


def _run(*words: str | Path) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{words[0]}: {done.stderr.decode(errors='replace')}")
