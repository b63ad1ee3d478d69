# SPDX-License-Identifier: Apache-2.0
"""A root with files of every kind that debugfs changes in every way, as a stick with a snapshot."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from liveos.formats.tree import FileKind, FileTree
from tests.tools.operations.overlay.sticks import NAME, Stick, make_stick
from tests.tools.operations.overlay.stores import fill, run
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.medium.overlay.changes.listings import listing_of

MIB = 1 << 20
UUID = "6c697665-6f73-4000-8000-00000000002a"
OVERLAY = f"overlay-LIVE-{UUID}"
STORE_SIZE = 8 * MIB
LONG = "l" * 180  # does not fit into an inode
EXT4 = ("-t", "ext4", "-b", "4096")
_MADE = 1_600_000_000  # long ago: debugfs uses numbers again without a new generation


@dataclass(frozen=True)
class LivedIn:
    """``view`` is the root with its changes, ``origin`` without them."""

    stick: Stick
    origin: Path
    view: Path


def make(scratch: Path, *, more: Sequence[str] = (), size: int = 64 * MIB) -> LivedIn:
    """A stick whose snapshot changes files of all kinds; ``more`` is asked of debugfs, too.

    ``size`` is that of LIVE.
    """
    origin, view = scratch / "origin.img", scratch / "view.img"
    _make_origin(scratch, origin)
    view.write_bytes(origin.read_bytes())
    requests = [*_edits(scratch), *more]
    said = run("debugfs", "-w", "-f", "-", view, stdin="\n".join(requests).encode())
    assert b"Could not allocate" not in said
    run("e2fsck", "-fy", view, good=(0, 1))
    run("e2fsck", "-fn", view)
    model = KernelModel(bytearray(STORE_SIZE), origin.read_bytes(), 8)
    fill(model, b"", view)
    return LivedIn(_stick(scratch, origin, bytes(model.device), size), origin, view)


def squash(scratch: Path, origin: Path) -> Path:
    """The origin as sticks have it."""
    source, packed = scratch / "squash", scratch / "beside/squashfs.img"
    packed.parent.mkdir()
    (source / "LiveOS").mkdir(parents=True)
    (source / "LiveOS/rootfs.img").write_bytes(origin.read_bytes())
    run("mksquashfs", source, packed, "-quiet", "-no-progress", "-noappend")
    return packed


def _stick(scratch: Path, origin: Path, store: bytes, size: int) -> Stick:
    beside = squash(scratch, origin).parent
    (beside / OVERLAY).write_bytes(store)
    place = f"rd.live.overlay=UUID={UUID}:/{NAME}/{OVERLAY}"
    stick = make_stick(scratch, beside=beside, words=(place,), size=size)
    assert stick.uuid == UUID
    return stick


def _make_origin(scratch: Path, origin: Path) -> None:
    tree = scratch / "files"
    dice = random.Random(1)
    for name in (
        "usr/bin",
        "etc",
        "proc",
        "replaced/below",
        "removed/below",
        "moved/below",
        "many",
    ):
        (tree / name).mkdir(parents=True)
    for number in range(40):
        (tree / f"usr/bin/program{number}").write_bytes(dice.randbytes(dice.randrange(9000)))
        (tree / f"many/file{number}").write_bytes(dice.randbytes(200))
    for name in ("replaced", "removed", "moved"):
        for number in range(4):
            (tree / name / f"below/{name}{number}").write_text(f"{name} {number}")
    for name in ("one", "two", "three"):
        (tree / f"etc/{name}").write_text(name * 100)
    (tree / "etc/second").hardlink_to(tree / "etc/one")
    (tree / "etc/third").hardlink_to(tree / "etc/one")
    (tree / "etc/apart").hardlink_to(tree / "etc/two")
    (tree / "etc/link").symlink_to("one")
    (tree / "etc/large").write_bytes(dice.randbytes(3 * MIB))
    clock = f"E2FSPROGS_FAKE_TIME={_MADE}"
    run("env", clock, "mke2fs", "-q", "-F", *EXT4, "-d", tree, origin, "16M")


def _edits(scratch: Path) -> list[str]:
    sparse, small, value = (scratch / name for name in ("sparse", "small", "value"))
    with sparse.open("wb") as file:
        file.seek(2 * MIB)
        file.write(b"end of a hole")
        file.truncate(3 * MIB)
    small.write_bytes(b"a new file\n" * 10)
    value.write_bytes(bytes(range(256)) * 3)
    return [
        # New things of all kinds, with owners, modes, times and attributes.
        f"write {sparse} etc/sparse",
        f"write {small} etc/new",
        "set_inode_field etc/new mode 0104755",
        "set_inode_field etc/new uid 100000",
        "set_inode_field etc/new gid 70000",
        "set_inode_field etc/new mtime @4000000000",
        "set_inode_field etc/new mtime_extra 400000001",
        f"ea_set -f {value} etc/new user.binary",
        'ea_set etc/new user.text "with \\042 and \\n"',
        'ea_set etc/new security.selinux "system_u:object_r:etc_t:s0\\000"',
        # cap_net_raw=ep in the words of struct vfs_cap_data
        'ea_set etc/new security.capability "\\001\\000\\000\\002\\000\\040' + "\\000" * 14 + '"',
        # struct posix_acl_xattr: u::rw-, u:1000:r--, g::r--, m::rw-, o::r--
        'ea_set etc/three system.posix_acl_access "\\002\\000\\000\\000\\001\\000\\006\\000'
        + "\\377" * 4 + "\\002\\000\\004\\000\\350\\003\\000\\000\\004\\000\\004\\000"
        + "\\377" * 4 + "\\020\\000\\006\\000" + "\\377" * 4
        + "\\040\\000\\004\\000" + "\\377" * 4 + '"',
        "symlink etc/short new",
        f"symlink etc/long {LONG}",
        f'write {small} "etc/odd ""name"" <7>"',
        f"write {small} <12>",
        "mkdir etc/directory",
        "set_inode_field etc/directory mode 0042750",
        "mkdir etc/directory/deeper",
        f"write {small} etc/directory/deeper/file",
        "cd etc/directory", "mknod socket p", "set_inode_field socket mode 0140755",
        "ln socket talk", "unlink socket", "mknod pipe p", "mknod char c 5 1",
        "mknod block b 7 200", "cd /",
        # Hard links: changed under one name, and one more name.
        "set_inode_field etc/second mode 0100600",
        "ln etc/two etc/more",
        "unlink etc/apart",
        # Removed, replaced and moved; e2fsck counts the links.
        "rm usr/bin/program1",
        "rm usr/bin/program2", "symlink usr/bin/program2 program3",
        *(f"rm removed/below/removed{number}" for number in range(4)),
        "rmdir removed/below", "rmdir removed",
        *(f"rm replaced/below/replaced{number}" for number in range(4)),
        "rmdir replaced/below", "rmdir replaced",
        "mkdir replaced", f"write {small} replaced/new",
        "ln moved renamed", "unlink moved",
        # A file becomes a directory, a directory a file.
        "rm etc/link", "mkdir etc/link", f"write {small} etc/link/inside",
        # Times and attributes of directories.
        "set_inode_field usr mtime @1500000000",
        'ea_set usr user.directory "yes"',
        "set_inode_field usr/bin/program5 mtime_extra 8",
    ]  # fmt: skip


def facts_of(tree: FileTree) -> tuple[dict[str, dict[str, object]], set[frozenset[str]]]:
    """Everything of a tree that must be kept, and which paths are one file."""
    listing = listing_of(tree)
    groups: dict[int, set[str]] = defaultdict(set)
    for node in tree.walk():
        if node.kind is FileKind.DIRECTORY and node.path in listing:
            listing[node.path]["mtime_ns"] = tree.attributes(node).mtime_ns
        elif node.kind is not FileKind.DIRECTORY:
            groups[node.number].add(node.path)
    return listing, {frozenset(paths) for paths in groups.values() if len(paths) > 1}
