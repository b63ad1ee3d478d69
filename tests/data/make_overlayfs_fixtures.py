# SPDX-License-Identifier: Apache-2.0
"""Packs roots that the kernel changed: ``python3 -m tests.data.make_overlayfs_fixtures``.

As root. Each case of `CASES` is a read-only root, an ext4 with the upper directory of an OverlayFS
over it, and what the kernel showed in the root and in the mounted whole. Each one of `STATES` is
an ext before and after the same changes were made in it, and what the kernel showed. All go to
``overlayfs.tar.xz``.
"""

import hashlib
import io
import json
import lzma
import os
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FIXTURES = Path(__file__).parent / "overlayfs.tar.xz"
CASES = {
    "plain-squashfs": "",
    "redirect-squashfs": "redirect_dir=on,metacopy=on",
    "redirect-erofs": "redirect_dir=on,metacopy=on",
    "redirect-ext4": "redirect_dir=on,metacopy=on",
    "user-ext4": "userxattr",
}
STATES = {
    "ext4-4k": "-t ext4 -b 4096 -N 128",
    "ext4-1k": "-t ext4 -b 1024 -N 128 -O ^has_journal,inline_data -I 512",
    "ext2-1k": "-t ext2 -b 1024 -N 128 -I 128",
}
# What the kernel may move without a copy of the whole: directories only with redirects.
MOVED_FILES = {"/usr/lib/moved": "/usr/lib/is here", "/usr/lib/changed": "/etc/was changed"}
MOVED_DIRECTORIES = {"/usr/share/doc": "/usr/share/manuals", "/srv/deep/er": "/home/er"}
_EXT4 = "mke2fs -q -F -t ext4 -b 4096 -N 128 -O ^has_journal"


def make_root(root: Path) -> None:
    for folder in ("etc", "usr/lib", "usr/share/doc", "srv/deep/er", "home", "opt/gone/sub",
                   "opt/opaque/sub", "opt/typed"):  # fmt: skip
        (root / folder).mkdir(parents=True)
    for path in ("etc/passwd", "etc/same", "etc/mode", "etc/owner", "etc/touched", "etc/xattr",
                 "usr/lib/moved", "usr/lib/changed", "usr/lib/linked", "usr/lib/deleted",
                 "usr/share/doc/a", "usr/share/doc/b", "srv/deep/er/c", "opt/gone/x",
                 "opt/gone/sub/y", "opt/opaque/x", "opt/opaque/keep", "opt/opaque/sub/z",
                 "opt/typed/inside"):  # fmt: skip
        (root / path).write_text(f"content of {path}\n" * 3)
    os.link(root / "usr/lib/linked", root / "usr/lib/also linked")
    (root / "etc/link").symlink_to("passwd")
    (root / "etc/tty").symlink_to("console")
    os.mknod(root / "etc/device", stat.S_IFCHR | 0o600, os.makedev(4, 1))
    os.setxattr(root / "etc/xattr", "user.old", b"1")
    for each in (*root.rglob("*"), root):
        os.utime(each, (1_600_000_000, 1_600_000_000), follow_symlinks=False)


def change(root: Path, *, redirects: bool) -> None:
    """What a user does in the mounted whole."""
    (root / "etc/passwd").write_text("something else\n")
    (root / "etc/same").open("r+b").close()  # copied up, and the same
    (root / "etc/mode").chmod(0o600)
    os.chown(root / "etc/owner", 1000, 70_000)
    os.utime(root / "etc/touched", (1_600_000_001, 1_600_000_001))
    os.setxattr(root / "etc/xattr", "user.new", b"2")
    (root / "etc/link").unlink()
    (root / "etc/link").symlink_to("shadow")
    (root / "etc/device").unlink()
    os.mknod(root / "etc/device", stat.S_IFCHR | 0o600, os.makedev(4, 2))
    (root / "usr/lib/deleted").unlink()
    (root / "usr/lib/also linked").unlink()
    for old, new in MOVED_FILES.items():
        (root / old[1:]).rename(root / new[1:])
    with (root / "etc/was changed").open("a") as file:
        file.write("more\n")
    if redirects:
        for old, new in MOVED_DIRECTORIES.items():
            (root / old[1:]).rename(root / new[1:])
        (root / "usr/share/manuals/a").unlink()
        (root / "usr/share/manuals/new").write_text("new\n")
    subprocess.run(
        ["rm", "-r", root / "opt/gone", root / "opt/opaque", root / "opt/typed"], check=True
    )
    (root / "opt/opaque").mkdir()
    (root / "opt/opaque/keep").write_text("content of opt/opaque/keep\n" * 3)
    (root / "opt/opaque/fresh").write_text("fresh\n")
    (root / "opt/typed").write_text("a file now\n")
    (root / "home/new").mkdir(mode=0o700)
    (root / "home/new/file").write_text("mine\n")
    os.link(root / "home/new/file", root / "home/new/twin")
    (root / "home").chmod(0o711)


def whiteout_by_attribute(upper: Path, namespace: str) -> None:
    """The other form of a whiteout: the kernel lists this name, but finds nothing behind it."""
    os.setxattr(upper / "home/new", f"{namespace}.overlay.opaque", b"x")
    (upper / "home/new/ghost").touch()
    os.setxattr(upper / "home/new/ghost", f"{namespace}.overlay.whiteout", b"y")


def listing(root: Path) -> dict[str, object]:
    """Everything below a directory, as the kernel shows it."""
    found: dict[str, object] = {}
    for path in (root, *sorted(root.rglob("*"))):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue  # a whiteout by attribute
        content = ""
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        names = os.listxattr(path, follow_symlinks=False)
        is_directory = stat.S_ISDIR(status.st_mode)
        found["/" + str(path.relative_to(root)).removeprefix(".")] = {
            "mode": status.st_mode,
            "owner": [status.st_uid, status.st_gid],
            "mtime_ns": None if is_directory else status.st_mtime_ns,
            "device": [os.major(status.st_rdev), os.minor(status.st_rdev)],
            "xattrs": {
                name: os.getxattr(path, name, follow_symlinks=False).hex() for name in names
            },
            "content": content,
        }
    found.pop("/lost+found", None)
    return found


@contextmanager
def mounted(place: Path, *words: str | Path) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", *words, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def make_case(name: str, work: Path) -> dict[str, bytes]:
    options, kind = CASES[name], name.rpartition("-")[2]
    root, upper = work / f"{name}.{kind}", work / f"{name}.upper.ext4"
    tree = work / "tree"
    if kind == "squashfs":
        command = f"mksquashfs {tree} {root} -noappend -quiet -no-progress -comp gzip"
    elif kind == "erofs":
        command = f"mkfs.erofs --quiet -x1 {root} {tree}"
    else:
        command = f"{_EXT4} -d {tree} {root} 1M"
    subprocess.run(command.split(), check=True)
    subprocess.run(f"{_EXT4} {upper} 1M".split(), check=True, capture_output=True)
    with (
        mounted(work / "lower", "-o", "loop,ro", root) as lower,
        mounted(work / "stick", "-o", "loop", upper) as stick,
    ):
        for each in ("upper", "work"):
            (stick / each).mkdir()
        layers = f"lowerdir={lower},upperdir={stick}/upper,workdir={stick}/work"
        words = ("-t", "overlay", "overlay", "-o", f"{layers},{options}".rstrip(","))
        with mounted(work / "whole", *words) as whole:
            change(whole, redirects="redirect" in options)
        whiteout_by_attribute(stick / "upper", "user" if options == "userxattr" else "trusted")
        with mounted(work / "whole", *words) as whole:
            facts = {"before": listing(lower), "after": listing(whole)}
    return {
        root.name: root.read_bytes(),
        upper.name: upper.read_bytes(),
        f"{name}.json": json.dumps(facts).encode(),
    }


def make_states(name: str, work: Path) -> dict[str, bytes]:
    before, after = work / f"{name}.before", work / f"{name}.after"
    tree = work / "tree"
    subprocess.run(
        f"mke2fs -q -F {STATES[name]} -d {tree} {before} 4M".split(),
        check=True,
        capture_output=True,
    )
    after.write_bytes(before.read_bytes())
    with mounted(work / "whole", "-o", "loop,ro", before) as whole:
        facts = {"before": listing(whole)}
    with mounted(work / "whole", "-o", "loop", after) as whole:
        change(whole, redirects=True)
        (whole / "etc/same").read_bytes()
        facts["after"] = listing(whole)
    return {
        before.name: before.read_bytes(),
        after.name: after.read_bytes(),
        f"{name}.json": json.dumps(facts).encode(),
    }


def main() -> None:
    packed = io.BytesIO()
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=packed, mode="w") as tar:
        work = Path(folder)
        (work / "tree").mkdir()
        make_root(work / "tree")
        made = [make_case(name, work) for name in CASES]
        made += [make_states(name, work) for name in STATES]
        for member_name, data in (item for case in made for item in case.items()):
            member = tarfile.TarInfo(member_name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    FIXTURES.write_bytes(lzma.compress(packed.getvalue(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()
