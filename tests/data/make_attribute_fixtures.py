# SPDX-License-Identifier: Apache-2.0
"""Packs a tree with every attribute: ``python3 -m tests.data.make_attribute_fixtures``, as root.

The images go to ``attributes.tar.xz``. The kernel itself writes those of ext4, through a loop
device; the other ones are made of a tree that the kernel keeps. Needs e2fsprogs, squashfs-tools,
erofs-utils 1.9 or later (for prefixes of names), and an ext4 for the temporary directory.
"""

import io
import lzma
import os
import socket
import stat
import struct
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FIXTURES = Path(__file__).parent / "attributes.tar.xz"
UUID = "6c697665-6f73-4000-8000-000000000003"
BUILT = 1_700_000_000  # the one time that compact.erofs keeps


def acl(*entries: tuple[int, int, int]) -> bytes:
    """A POSIX ACL as getxattr(2) shows it: version 2, then tag, permissions, identity."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


_NOBODY = 0xFFFFFFFF
_ACL = acl(
    (0x01, 6, _NOBODY),
    (0x02, 7, 70_001),
    (0x04, 4, _NOBODY),
    (0x10, 7, _NOBODY),
    (0x20, 0, _NOBODY),
)
_DEFAULT_ACL = acl(
    (0x01, 7, _NOBODY), (0x04, 5, _NOBODY), (0x08, 7, 123), (0x10, 7, _NOBODY), (0x20, 5, _NOBODY)
)
_CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
_LONG = bytes(range(250)) * 2


@dataclass(frozen=True)
class Made:
    """What a file of the tree is made with; ``mode`` has the type bits."""

    mode: int
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 1_600_000_000_000_000_000
    device: tuple[int, int] | None = None
    xattrs: Mapping[str, bytes] = field(default_factory=dict)


TREE = {
    "/file": Made(
        stat.S_IFREG | 0o670,
        1000,
        70_000,
        1_600_000_000_123_456_789,
        xattrs={
            "user.comment": b"hello",
            "user.empty": b"",
            "security.capability": _CAPABILITY,
            "system.posix_acl_access": _ACL,
        },
    ),
    "/many": Made(
        stat.S_IFREG | 0o4755, 4_000_000_000, 3_000_000_000, xattrs={"user.long": _LONG}
        | {f"user.number{n}": b"%d" % n * n for n in range(10)},
    ),
    "/one": Made(stat.S_IFREG | 0o644, xattrs={"user.shared": _LONG}),
    "/two": Made(stat.S_IFREG | 0o600, xattrs={"user.shared": _LONG}),
    "/dir": Made(
        stat.S_IFDIR | 0o3775, 5, 6, 999_999_999,
        xattrs={"trusted.overlay.opaque": b"y", "system.posix_acl_default": _DEFAULT_ACL},
    ),
    "/link": Made(stat.S_IFLNK | 0o777, 7, 8, xattrs={"trusted.of a link": b"\0\1"}),
    "/null": Made(stat.S_IFCHR | 0o666, device=(1, 3)),
    "/disk": Made(stat.S_IFBLK | 0o660, 0, 6, device=(259, 70_000)),
    "/whiteout": Made(stat.S_IFCHR | 0o000, device=(0, 0)),
    "/pipe": Made(stat.S_IFIFO | 0o622, xattrs={"trusted.pipe": b"p"}),
    "/socket": Made(stat.S_IFSOCK | 0o755, 9, 9),
}  # fmt: skip
TIMES = {
    "/old": Made(stat.S_IFREG | 0o644, mtime_ns=-600_000_000_500_000_000),
    "/future": Made(stat.S_IFREG | 0o644, mtime_ns=5_000_000_000_999_999_999),
}
HUGE = Made(stat.S_IFREG | 0o644, xattrs={"user.huge": bytes(range(251)) * 200, "user.small": b"s"})
# In an inode of 512 bytes: content in the place of block numbers, and behind it.
INLINE_FILES = {"/short": b"short", "/longer": bytes(range(200)), "/empty": b""}
INLINE_NAMES = [f"name {number}" for number in range(12)]  # in /names

_PREFIXES = "-x1 --xattr-prefix=user.number --xattr-prefix=trusted.overlay."
_EXT = f"mke2fs -q -F -N 64 -U {UUID}"
COMMANDS = {
    "gzip.squashfs": "mksquashfs TREE IMAGE -noappend -quiet -no-progress -nopad -b 4K -comp gzip",
    "stored.squashfs": "mksquashfs TREE IMAGE -noappend -quiet -no-progress -nopad -b 4K -noI -noX",
    "shared.erofs": f"mkfs.erofs --quiet -U{UUID} -x1 IMAGE TREE",
    "own.erofs": f"mkfs.erofs --quiet -U{UUID} -x100 IMAGE TREE",
    "compact.erofs": f"mkfs.erofs --quiet -U{UUID} -T{BUILT} --force-uid=3 --force-gid=4"
    " -Eforce-inode-compact IMAGE TREE",
    "prefixes.erofs": f"mkfs.erofs --quiet -U{UUID} {_PREFIXES} IMAGE TREE",
    "packed.erofs": f"mkfs.erofs --quiet -U{UUID} {_PREFIXES} -zlz4 -Efragments IMAGE TREE",
    "small.ext4": f"{_EXT} -b 1024 -t ext2 -I 128 IMAGE",
    "usual.ext4": f"{_EXT} -b 4096 -t ext4 -O ^has_journal,ea_inode -I 256 IMAGE",
    "inline.ext4": f"{_EXT} -b 1024 -t ext4 -O ^has_journal,inline_data -I 512 IMAGE",
}  # fmt: skip


def expected(name: str) -> dict[str, Made]:
    """What is in an image."""
    if name.endswith(".ext4"):
        more = {} if name.startswith("small") else TIMES
        return TREE | more | ({"/huge": HUGE} if name.startswith("usual") else {})
    return TREE


def make_file(path: Path, made: Made, content: bytes = b"") -> None:
    kind = stat.S_IFMT(made.mode)
    if kind == stat.S_IFREG:
        path.write_bytes(content)
    elif kind == stat.S_IFDIR:
        path.mkdir()
    elif kind == stat.S_IFLNK:
        path.symlink_to("a target")
    elif kind == stat.S_IFSOCK:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
    else:
        os.mknod(path, made.mode, os.makedev(*made.device) if made.device else 0)
    os.chown(path, made.uid, made.gid, follow_symlinks=False)
    if kind != stat.S_IFLNK:
        path.chmod(stat.S_IMODE(made.mode))
    for name, value in made.xattrs.items():
        os.setxattr(path, name, value, follow_symlinks=False)
    os.utime(path, ns=(0, made.mtime_ns), follow_symlinks=False)


def make_tree(root: Path, files: Mapping[str, Made]) -> None:
    for path, made in files.items():
        make_file(root / path[1:], made)
    os.link(root / "one", root / "dir" / "one again")
    os.utime(root / "dir", ns=(0, files["/dir"].mtime_ns))


def fill(name: str, image: Path, mount: Path) -> None:
    """Let the kernel write the tree into an ext4."""
    mount.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    try:
        make_tree(mount, expected(name))
        if name.startswith("inline"):
            for path, content in INLINE_FILES.items():
                make_file(mount / path[1:], Made(stat.S_IFREG | 0o644), content)
            (mount / "names").mkdir()
            for each in INLINE_NAMES:
                (mount / "names" / each).touch()
    finally:
        subprocess.run(["umount", mount], check=True)


def make_image(name: str, work: Path) -> bytes:
    image = work / name
    if name.endswith(".ext4"):
        with image.open("wb") as file:
            file.truncate(1 << 20)
    names = {"IMAGE": str(image), "TREE": str(work / "tree")}
    words = [names.get(word, word) for word in COMMANDS[name].split()]
    subprocess.run(words, check=True)
    if name.endswith(".ext4"):
        fill(name, image, work / "mount")
    return image.read_bytes()


def main() -> None:
    packed = io.BytesIO()
    os.umask(0)
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=packed, mode="w") as tar:
        work = Path(folder)
        (work / "tree").mkdir()
        make_tree(work / "tree", TREE)
        for name in COMMANDS:
            member = tarfile.TarInfo(name)
            data = make_image(name, work)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    FIXTURES.write_bytes(lzma.compress(packed.getvalue(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()
