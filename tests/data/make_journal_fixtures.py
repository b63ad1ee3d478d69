# SPDX-License-Identifier: Apache-2.0
"""Crashed ext filesystems and their replay: ``sudo python3 -m tests.data.make_journal_fixtures``.

Each image is mounted by the running kernel, worked on, and copied while it is mounted; what
``e2fsck -E journal_only`` makes of the copy is recorded as a checksum (see `fingerprint`). The
images go to ``journals.tar.xz``. Needs root, loop devices and e2fsprogs 1.47.
"""

import hashlib
import io
import json
import lzma
import os
import shutil
import struct
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FIXTURES = Path(__file__).parent / "journals.tar.xz"
MAGIC = b"\xc0\x3b\x39\x98"
_UUID = "6c697665-6f73-4000-8000-000000000003"
_SIZE = {"1024": 8 << 20, "4096": 12 << 20}

# Fields of the superblock that a run of e2fsck changes whatever the journal holds: the time and
# the amount of its own writes, and the checksum over them. (Offset in the image, length.)
_VOLATILE = ((1024 + 0x30, 4), (1024 + 0x178, 8), (1024 + 0x3FC, 4))


def fingerprint(image: bytes) -> str:
    """The SHA-256 of an image without the fields that every run of e2fsck changes."""
    masked = bytearray(image)
    for offset, length in _VOLATILE:
        masked[offset : offset + length] = bytes(length)
    return hashlib.sha256(masked).hexdigest()


def _write(path: Path, data: bytes, *, sync: bool = True) -> None:
    with path.open("wb") as file:
        file.write(data)
        if sync:
            os.fsync(file.fileno())


def _sync(root: Path) -> None:
    subprocess.run(["sync", "-f", str(root)], check=True)


def _work(root: Path) -> None:
    """Directories that come and go, files that begin with the magic, several transactions."""
    for number in range(40):
        (root / f"d{number}").mkdir()
        _write(root / f"d{number}" / "file", b"file %d" % number, sync=False)
    _sync(root)
    for number in range(20):
        shutil.rmtree(root / f"d{number}")
    _write(root / "escaped", MAGIC + bytes(range(256)) * 20)
    for number in range(20):
        _write(root / f"f{number}", (MAGIC + b"\1") * 300 * number)
    for number in range(0, 20, 3):
        (root / f"f{number}").unlink()
    for number in range(20, 30):
        (root / f"d{number}").rename(root / f"moved{number}")
    _write(root / "last", b"last" * 1000)
    (root / "d35" / "file").unlink()


def _work_around(root: Path) -> None:
    """More transactions than the log holds at once: it wraps around."""
    for number in range(130):
        directory = root / f"d{number % 10}"
        directory.mkdir(exist_ok=True)
        _write(directory / f"f{number}", b"%d" % number * 50)
        if number % 10 == 9:
            shutil.rmtree(root / f"d{number % 7}", ignore_errors=True)
    _write(root / "last", b"last" * 1000)


def _work_fast(root: Path) -> None:
    """Ends in fast commits that no full one follows."""
    _write(root / "first", b"first")
    _write(root / "second", b"second")
    _sync(root)
    for number in range(3):
        with (root / "first").open("ab") as file:
            file.write(b"more %d" % number * 100)
            os.fsync(file.fileno())


@dataclass(frozen=True)
class Case:
    """A filesystem, how it is mounted, and what is done with it."""

    make: str
    mount: str = "defaults"
    work: Callable[[Path], None] = _work


CASES = {
    "ext4": Case("-t ext4 -b 4096 -J size=4"),
    "ext4-1k": Case("-t ext4 -b 1024 -J size=1"),
    "ext4-narrow": Case("-t ext4 -b 1024 -O ^64bit -J size=1"),
    "ext4-plain": Case("-t ext4 -b 4096 -O ^metadata_csum,^64bit -J size=4"),
    "ext4-wide": Case("-t ext4 -b 1024 -O ^metadata_csum,64bit -J size=1"),
    "ext3": Case("-t ext3 -b 1024 -J size=1"),
    "ext3-4k": Case("-t ext3 -b 4096 -J size=4"),
    "data": Case("-t ext4 -b 1024 -J size=2", "data=journal"),
    "ext3-data": Case("-t ext3 -b 1024 -J size=2", "data=journal"),
    "sums-v1": Case("-t ext4 -b 1024 -O ^metadata_csum -J size=1", "journal_checksum"),
    "async": Case(
        "-t ext4 -b 1024 -O ^metadata_csum -J size=1", "data=writeback,journal_async_commit"
    ),
    "around": Case("-t ext4 -b 1024 -J size=1", work=_work_around),
    "ext3-around": Case("-t ext3 -b 1024 -J size=1", work=_work_around),
    "fast": Case("-t ext4 -b 1024 -O fast_commit -J size=1", work=_work_fast),
    "clean": Case("-t ext4 -b 1024 -J size=1", work=lambda root: None),
    "ext2": Case("-t ext2 -b 1024"),
}
CLEAN = ("clean", "ext2")  # unmounted before they are copied
PENDING = ("fast",)


def _crashed(name: str, work: Path) -> bytes:
    case, image, root = CASES[name], work / "image", work / "root"
    image.write_bytes(b"")
    os.truncate(image, _SIZE[case.make.split("-b ")[1].split()[0]])
    root.mkdir(exist_ok=True)
    command = ["mke2fs", "-q", "-F", "-U", _UUID, "-E", "lazy_itable_init=0"]
    subprocess.run([*command, *case.make.split(), str(image)], check=True)
    subprocess.run(["mount", "-o", f"loop,{case.mount}", str(image), str(root)], check=True)
    try:
        case.work(root)
        crashed = image.read_bytes()
    finally:
        subprocess.run(["umount", str(root)], check=True)
    return image.read_bytes() if name in CLEAN else crashed


def _replayed(image: bytes, work: Path) -> bytes:
    path = work / "replayed"
    path.write_bytes(image)
    subprocess.run(["e2fsck", "-E", "journal_only", "-y", str(path)], check=True)
    return path.read_bytes()


def _log_start(image: bytes) -> int:
    """For the record: where the log begins, by the first journal superblock in the image."""
    place = image.index(MAGIC + struct.pack(">I", 4))
    return int.from_bytes(image[place + 0x1C : place + 0x20], "big")


def main() -> None:
    """Make all images and write the archive."""
    members, facts = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name in CASES:
            image = _crashed(name, Path(folder))
            members[name] = image
            if name in (*PENDING, *CLEAN):
                continue
            facts[name] = {
                "replayed": fingerprint(_replayed(image, Path(folder))),
                "log_start": _log_start(image),
            }
    members["facts.json"] = json.dumps(facts, indent=1, sort_keys=True).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    FIXTURES.write_bytes(lzma.compress(packed.getvalue(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()
