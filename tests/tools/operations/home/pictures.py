# SPDX-License-Identifier: Apache-2.0
"""All that e2fsprogs see of a filesystem, so that two can be compared."""

import hashlib
import random
import re
import shutil
import subprocess
from pathlib import Path

from tests.tools.operations.home.sticks import MIB, run

Picture = dict[str, tuple[str, ...]]


def debugfs(image: Path, *lines: str, writable: bool = False) -> str:
    script = "".join(f"{line}\n" for line in lines).encode()
    options = ("-w",) if writable else ()
    return run("debugfs", *options, "-f", "-", image, stdin=script).decode("utf-8", "replace")


def lived_in(path: Path, scratch: Path, mebibytes: int = 64, block_size: int = 4096) -> Path:
    """A home with files of every kind, some of them at the end of the filesystem."""
    tree = scratch / "tree-of-home"
    user = tree / "ann"
    (user / "deep" / "er").mkdir(parents=True)
    dice = random.Random(7)
    (user / "filler").write_bytes(bytes([1]) * (mebibytes * MIB // 2))
    for number in range(40):
        (user / f"file {number}").write_bytes(dice.randbytes(dice.randrange(200_000)))
    (user / "deep/er/empty").touch()
    (user / "deep/holes").write_bytes(b"a".ljust(900_000, b"\0") + b"z")
    (user / "hard").hardlink_to(user / "file 3")
    (user / "short").symlink_to("file 4")
    (user / "long").symlink_to("x/" * 60 + "end")
    (user / "run.sh").write_text("#!/bin/sh\n")
    (user / "run.sh").chmod(0o4750)
    options = ["-q", "-F", "-t", "ext4", "-L", "home", "-b", str(block_size), "-m", "0"]
    if block_size == 1024:
        # Without room for more descriptors, blocks behind them must make way for new groups.
        options += ["-O", "^resize_inode"]
    run("mke2fs", *options, "-J", "size=4", "-d", tree, path, f"{mebibytes}M")
    words = [
        "rm /ann/filler",
        "cd /ann",
        "mknod pipe p",
        "set_inode_field /ann/run.sh uid 1234",
        "set_inode_field /ann uid 70000",
        "ea_set /ann/run.sh user.note of-run",
        "ea_set /ann security.selinux unconfined_u:object_r:user_home_dir_t:s0\\000",
        f'ea_set "/ann/file 5" user.large {"v" * 600}',
        f"fallocate {'/ann/deep/er/empty'} 0 9",
    ]
    debugfs(path, *words, writable=True)
    subprocess.run(["e2fsck", "-fp", path], check=False, capture_output=True)
    run("e2fsck", "-fn", path)
    shutil.rmtree(tree)
    return path


def picture(image: Path, scratch: Path) -> Picture:
    """For each path: mode, owner, content or target, and extended attributes."""
    run("e2fsck", "-fn", image)
    out = scratch / "picture"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    # An ordinary user cannot give files away; contents and targets come all the same.
    line = ["debugfs", "-R", f"rdump / {out}", str(image)]
    subprocess.run(line, check=True, capture_output=True)
    inodes: dict[str, tuple[str, ...]] = {}
    waiting = ["/"]
    while waiting:
        directory = waiting.pop()
        for row in debugfs(image, f'ls -p "{directory}"').splitlines():
            fields = row.strip().split("/")
            if len(fields) != 8 or fields[5] in {".", "..", ""}:
                continue
            path = f"{directory}{fields[5]}"
            inodes[path] = tuple(fields[2:5])
            if fields[2].startswith("04"):
                waiting.append(f"{path}/")
    attributes = _attributes(image, list(inodes))
    return {
        path: (*owner, _content(out / path[1:]), attributes[path]) for path, owner in inodes.items()
    }


def _content(path: Path) -> str:
    if path.is_symlink():
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _attributes(image: Path, paths: list[str]) -> dict[str, str]:
    """What debugfs lists for each path; it repeats each command before its answer."""
    said = debugfs(image, *(f'ea_list "{path}"' for path in paths))
    _, *answers = re.split(r"^debugfs: ea_list .*\n", said, flags=re.MULTILINE)
    assert len(answers) == len(paths)
    return dict(zip(paths, answers, strict=True))


def blocks(image: Path) -> int:
    """How many the superblock counts."""
    said = run("dumpe2fs", "-h", image).decode()
    match = re.search(r"^Block count: +(\d+)", said, re.MULTILINE)
    assert match
    return int(match[1])
