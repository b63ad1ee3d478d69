# SPDX-License-Identifier: Apache-2.0
"""Sticks with an image that mounts homes, made by other programs."""

import subprocess
from pathlib import Path

MIB = 1 << 20
UUID = "6c697665-6f73-4000-8000-000000000001"
OVERLAY = f"overlay-LIVE-{UUID}"
SKELETON = {".bash rc": b"alias", ".config/deep/settings": b"[a]\n" * 3000}
STORE = b"SnAp\1\0\0\0\1\0\0\0\10\0\0\0".ljust(65536, b"\0")


def run(*words: str | Path, stdin: bytes = b"") -> bytes:
    done = subprocess.run(
        [str(word) for word in words], input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def live_tree(scratch: Path, *, used: bool) -> Path:
    """A directory with an image of Fedora's kind, whose overlay is in use or not there."""
    root = scratch / "root"
    for name in ("libexec/livesys/livesys-main", "sbin/cryptsetup", "bin/plymouth"):
        path = root / "usr" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "etc/selinux/targeted/contexts").mkdir(parents=True)
    for name, content in SKELETON.items():
        path = root / "etc/skel" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (root / "etc/skel/link").symlink_to("/etc/passwd")
    live = scratch / "tree/LiveOS"
    live.mkdir(parents=True)
    run("mksquashfs", root, live / "squashfs.img", "-quiet", "-no-progress", "-all-root")
    if used:
        (live / OVERLAY).write_bytes(STORE)
    return scratch / "tree"


def ext4_stick(scratch: Path, *, used: bool = True, mebibytes: int = 160) -> Path:
    """An ext4 that nobody has mounted."""
    image = scratch / "stick.img"
    options = ("-q", "-F", "-t", "ext4", "-L", "LIVE", "-U", UUID)
    run("mke2fs", *options, "-d", live_tree(scratch, used=used), image, f"{mebibytes}M")
    return image


def fat_stick(scratch: Path) -> Path:
    """A FAT32 that nobody has mounted."""
    tree = live_tree(scratch, used=False)
    image = scratch / "stick.img"
    run("mkfs.fat", "-C", "-F", "32", "-n", "LIVE", image, str(160 * 1024))
    run("mcopy", "-s", "-i", image, tree / "LiveOS", "::/")
    return image


def home_on(stick: Path, to: Path) -> Path:
    """What e2fsprogs reads under the name of the home."""
    run("e2fsck", "-fn", stick)
    run("debugfs", "-R", f"dump /LiveOS/home.img {to}", stick)
    return to
